// What the API refused, in the person's language, by its code: what happened, what it means, what to do. The API's own
// text is kept for Details where it says more than the code: which word, how much, what the chain said.
import type { ErrorDetail } from '$lib/api/generated';
import type { ErrorMore } from '$lib/api/request';
import { m } from '$lib/paraglide/messages';
import { joined, sentence, speaksAsNode } from './technical';

type Words = { title: () => string; detail?: boolean };
export type ErrorWords = { title: string; more: string; details: string | null };

export const errors: Record<string, Words> = {
  answer_failed: { title: m.answer_failed, detail: true },
  application_not_ready: { title: m.error_application_not_ready, detail: true },
  bad_words: { title: m.error_bad_words, detail: true },
  broken_off: { title: m.error_broken_off },
  cannot_earn: { title: m.error_cannot_earn, detail: true },
  chain_refused: { title: m.error_chain_refused, detail: true },
  chain_unreachable: { title: m.error_chain_unreachable },
  context_length_exceeded: { title: m.error_context_length_exceeded },
  daily_cap_reached: { title: m.error_daily_cap_reached, detail: true },
  disk_full: { title: m.error_disk_full },
  engine_overloaded: { title: m.error_engine_overloaded },
  faucet_refused: { title: m.error_faucet_refused, detail: true },
  faucet_unreachable: { title: m.error_faucet_unreachable },
  fee_rose: { title: m.error_fee_rose, detail: true },
  file_unseen: { title: m.error_file_unseen, detail: true },
  foreign_host: { title: m.error_foreign_host, detail: true },
  foreign_origin: { title: m.error_foreign_origin },
  gateway_not_ready: { title: m.error_gateway_not_ready, detail: true },
  internal: { title: m.error_internal },
  key_locked: { title: m.error_key_locked },
  memo_too_long: { title: m.error_memo_too_long, detail: true },
  model_damaged: { title: m.error_model_damaged },
  model_files: { title: m.error_model_files, detail: true },
  model_in_use: { title: m.error_model_in_use },
  model_not_found: { title: m.error_model_not_found },
  model_too_large: { title: m.error_model_too_large, detail: true },
  model_unusable: { title: m.error_model_unusable, detail: true },
  network_unavailable: { title: m.error_network_unavailable, detail: true },
  no_faucet: { title: m.error_not_devnet },
  no_login: { title: m.error_no_login },
  no_review: { title: m.error_no_review },
  no_source: { title: m.error_no_source },
  no_wallet: { title: m.error_no_wallet },
  not_devnet: { title: m.error_not_devnet },
  not_enough: { title: m.error_not_enough, detail: true },
  not_found: { title: m.error_not_found },
  not_seen: { title: m.error_not_seen },
  other_words: { title: m.error_other_words },
  out_of_stake: { title: m.error_out_of_stake, detail: true },
  payment_refused: { title: m.error_payment_refused, detail: true },
  price_rose: { title: m.error_price_rose, detail: true },
  setup_failed: { title: m.setup_failed, detail: true },
  stopping: { title: m.error_stopping },
  supplier_failed: { title: m.error_supplier_failed, detail: true },
  token_needed: { title: m.error_token_needed },
  too_large: { title: m.error_too_large },
  too_long: { title: m.error_too_long },
  unexpected: { title: m.error_unexpected, detail: true },
  unreachable: { title: m.error_unreachable },
  wallet_damaged: { title: m.error_wallet_damaged },
  wallet_newer: { title: m.error_wallet_newer, detail: true },
  wallet_exists: { title: m.error_wallet_exists },
  weak_password: { title: m.error_weak_password, detail: true },
  wrong_token: { title: m.signin_wrong_token },
};

type Told = ErrorDetail & { more?: ErrorMore };

/** A figure of the message: by its name, or, where an older node says none, as it stands in the sentence. */
function figure({ message, values }: Told, name: string): number | null {
  const found = String(values?.[name] ?? /\d+/.exec(message)?.[0]);
  return /^\d+$/.test(found) ? Number(found) : null;
}

/** How often one may still try, how long one waits, which word it is. */
function counted(error: Told): string | null {
  if (error.code === 'wrong_password') {
    const count = figure(error, 'tries_left');
    return count === null ? m.signin_wrong_password() : m.error_wrong_password({ count });
  }
  if (error.code === 'word_unknown') return m.error_word_unknown({ place: figure(error, 'place') ?? '?' });
  if (error.code === 'words_count') return m.error_words_count({ count: figure(error, 'count') ?? 0 });
  const count = error.code === 'wait' ? figure(error, 'seconds') : null;
  return count === null ? null : m.error_wait({ count });
}

export function errorWords(given: Told): ErrorWords {
  const error: Told = { ...given.more, ...pick(given) };
  const title = counted(error);
  if (title) return { title, more: '', details: null };
  const words = errors[error.code];
  if (words) {
    const own = words.detail ? joined(error.message, error.remedy) : null;
    return { title: words.title(), more: '', details: joined(own, error.details) };
  }
  if (speaksAsNode()) {
    const more = [error.meaning, error.remedy].filter(Boolean).join(' ');
    return { title: sentence(error.message), more, details: error.details ?? null };
  }
  return { title: m.error_unknown(), more: '', details: joined(error.message, error.meaning, error.remedy, error.details) };
}

/** An `ApiError` has its message from its class, so it is not spread. */
const pick = ({ code, message, remedy, meaning, details, values }: Told) => ({
  code,
  message,
  remedy,
  ...(meaning ? { meaning } : {}),
  ...(details ? { details } : {}),
  ...(values ? { values } : {}),
});
