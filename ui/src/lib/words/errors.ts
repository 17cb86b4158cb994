// What the API refused, in the person's language, by its code: what happened, what it means, what to do. The API's own
// text is kept for Details where it says more than the code: which word, how much, what the chain said.
import type { ErrorDetail } from '$lib/api/generated';
import type { ErrorMore } from '$lib/api/request';
import { m } from '$lib/paraglide/messages';
import { factsOf, refusals, type Words } from './refusals';
import { joined, sentence, speaksAsNode } from './technical';

export type ErrorWords = { title: string; more: string; details: string | null };

export const errors: Record<string, Words> = {
  ...refusals,
  address_wrong: { title: m.error_address_wrong, detail: true },
  amount_zero: { title: m.error_amount_zero },
  anchor_contradicted: { title: m.error_anchor_contradicted, detail: true },
  anchor_wrong: { title: m.error_anchor_wrong },
  answer_failed: { title: m.answer_failed, detail: true },
  application_not_ready: { title: m.error_application_not_ready, detail: true },
  backend_busy: { title: m.error_backend_busy },
  backend_failed: { title: m.error_backend_failed, detail: true },
  backend_not_ready: { title: m.error_backend_not_ready, detail: true },
  backend_too_large: { title: m.error_backend_too_large, detail: true },
  backend_too_slow: { title: m.error_backend_too_slow, detail: true },
  backend_unreachable: { title: m.error_backend_unreachable, detail: true },
  backup_busy: { title: m.error_backup_busy },
  backup_exists: { title: m.error_backup_exists },
  backup_unwritable: { title: m.error_backup_unwritable, detail: true },
  bad_words: { title: m.error_bad_words, detail: true },
  broken_off: { title: m.error_broken_off },
  cannot_earn: { title: m.error_cannot_earn, detail: true },
  chain_not_proven: { title: m.error_chain_not_proven, detail: true },
  chain_refused: { title: m.error_chain_refused, detail: true },
  chain_unreachable: { title: m.error_chain_unreachable },
  chat_template: { title: m.error_chat_template, detail: true },
  chat_template_broken: { title: m.error_chat_template_broken, detail: true },
  config_locked: { title: m.error_config_locked, detail: true },
  config_moved: { title: m.error_config_moved },
  config_refused: { title: m.error_config_refused, detail: true },
  config_unknown: { title: m.error_config_unknown, detail: true },
  config_unwritable: { title: m.error_config_unwritable, detail: true },
  connect_from_here: { title: m.error_connect_from_here },
  contact_name: { title: m.error_contact_name, detail: true },
  contact_note: { title: m.error_contact_note },
  contact_taken: { title: m.error_contact_taken, detail: true },
  contacts_many: { title: m.error_contacts_many, detail: true },
  context_length_exceeded: { title: m.error_context_length_exceeded },
  crowded: { title: m.error_crowded },
  daily_cap_reached: { title: m.error_daily_cap_reached, detail: true },
  disk_full: { title: m.error_disk_full },
  endpoint_known: { title: m.error_endpoint_known },
  endpoint_last: { title: m.error_endpoint_last },
  endpoint_other_chain: { title: m.error_endpoint_other_chain, detail: true },
  endpoint_silent: { title: m.error_endpoint_silent, detail: true },
  endpoint_unknown: { title: m.error_endpoint_unknown },
  endpoint_wrong: { title: m.error_endpoint_wrong },
  endpoints_fixed: { title: m.error_endpoints_fixed },
  endpoints_many: { title: m.error_endpoints_many },
  engine_overloaded: { title: m.error_engine_overloaded },
  engine_stopped: { title: m.error_engine_stopped },
  evidence_unreadable: { title: m.error_evidence_unreadable, detail: true },
  faucet_refused: { title: m.error_faucet_refused, detail: true },
  faucet_unreachable: { title: m.error_faucet_unreachable },
  fee_rose: { title: m.error_fee_rose, detail: true },
  foreign_host: { title: m.error_foreign_host, detail: true },
  foreign_origin: { title: m.error_foreign_origin },
  gateway_not_ready: { title: m.error_gateway_not_ready, detail: true },
  internal: { title: m.error_internal },
  internal_error: { title: m.error_internal_error },
  invalid_prompt: { title: m.error_invalid_prompt },
  invalid_value: { title: m.error_invalid_value, detail: true },
  key_locked: { title: m.error_key_locked },
  key_name_taken: { title: m.error_key_name_taken },
  label_wrong: { title: m.error_label_wrong, detail: true },
  large_head: { title: m.error_large_head, detail: true },
  login_first: { title: m.error_login_first },
  memo_too_long: { title: m.error_memo_too_long, detail: true },
  model_damaged: { title: m.error_model_damaged },
  model_files: { title: m.error_model_files, detail: true },
  model_in_use: { title: m.error_model_in_use },
  model_not_found: { title: m.error_model_not_found },
  model_unloaded: { title: m.error_model_unloaded },
  model_unsupported: { title: m.error_model_unsupported, detail: true },
  model_unusable: { title: m.error_model_unusable, detail: true },
  morse_address_wrong: { title: m.error_morse_address_wrong, detail: true },
  morse_claim_wrong: { title: m.error_morse_claim_wrong, detail: true },
  morse_claimed: { title: m.error_morse_claimed, detail: true },
  morse_disabled: { title: m.error_morse_disabled, detail: true },
  morse_key_wrong: { title: m.error_morse_key_wrong, detail: true },
  morse_not_staked: { title: m.error_morse_not_staked, detail: true },
  morse_other_key: { title: m.error_morse_other_key, detail: true },
  morse_owner_elsewhere: { title: m.error_morse_owner_elsewhere, detail: true },
  morse_owner_first: { title: m.error_morse_owner_first, detail: true },
  morse_passphrase: { title: m.error_morse_passphrase, detail: true },
  morse_signer: { title: m.error_morse_signer, detail: true },
  morse_staked: { title: m.error_morse_staked, detail: true },
  morse_unknown: { title: m.error_morse_unknown, detail: true },
  network_unavailable: { title: m.error_network_unavailable, detail: true },
  no_backup: { title: m.error_no_backup, detail: true },
  no_conflict: { title: m.error_no_conflict },
  no_faucet: { title: m.error_not_devnet },
  no_login: { title: m.error_no_login },
  no_model_chosen: { title: m.error_no_model_chosen },
  no_operator: { title: m.error_no_operator, detail: true },
  no_restart: { title: m.error_no_restart },
  no_review: { title: m.error_no_review },
  no_settings_file: { title: m.error_no_settings_file, detail: true },
  no_signature_wanted: { title: m.error_no_signature_wanted },
  no_signing_account: { title: m.error_no_signing_account, detail: true },
  no_source: { title: m.error_no_source },
  no_wallet: { title: m.error_no_wallet },
  not_connected: { title: m.error_not_connected },
  not_devnet: { title: m.error_not_devnet },
  not_enough: { title: m.error_not_enough, detail: true },
  below_reserve: { title: m.error_below_reserve, detail: true },
  not_found: { title: m.error_not_found },
  not_seen: { title: m.error_not_seen, detail: true },
  other_words: { title: m.error_other_words },
  out_of_stake: { title: m.error_out_of_stake, detail: true },
  page_key_needed: { title: m.error_token_needed },
  passphrase_needed: { title: m.error_passphrase_needed },
  passphrase_wrong: { title: m.error_passphrase_wrong },
  path_relative: { title: m.error_path_relative },
  payment_refused: { title: m.error_payment_refused, detail: true },
  refused_by_backend: { title: m.error_refused_by_backend, detail: true },
  qr_long: { title: m.error_qr_long },
  price_rose: { title: m.error_price_rose, detail: true },
  setup_failed: { title: m.setup_failed, detail: true },
  settings_changed: { title: m.error_settings_changed },
  settings_not_editable: { title: m.error_settings_not_editable, detail: true },
  settings_of_another: { title: m.error_settings_of_another, detail: true },
  settings_read_only: { title: m.error_settings_read_only, detail: true },
  stopping: { title: m.error_stopping },
  supplier_failed: { title: m.error_supplier_failed, detail: true },
  token_needed: { title: m.error_token_needed },
  too_large: { title: m.error_too_large },
  too_long: { title: m.error_too_long },
  too_many: { title: m.error_too_many },
  too_slow: { title: m.error_too_slow },
  trust_conflict: { title: m.error_trust_conflict, detail: true },
  same_password: { title: m.error_same_password },
  path_wrong: { title: m.error_path_wrong, detail: true },
  key_wrong: { title: m.error_key_wrong },
  armor_passphrase: { title: m.error_armor_passphrase },
  armor_wrong: { title: m.error_armor_wrong, detail: true },
  label_taken: { title: m.error_label_taken, detail: true },
  account_known: { title: m.error_account_known, detail: true },
  account_in_use: { title: m.error_account_in_use },
  too_many_accounts: { title: m.error_too_many_accounts },
  no_words: { title: m.error_no_words },
  no_password: { title: m.error_no_password },
  no_key_for: { title: m.error_no_key_for, detail: true },
  no_account: { title: m.error_no_account },
  open_claims: { title: m.error_open_claims, detail: true },
  only_watched: { title: m.error_only_watched, detail: true },
  sign_elsewhere: { title: m.error_sign_elsewhere, detail: true },
  tx_amino: { title: m.error_tx_amino, detail: true },
  tx_message_unknown: { title: m.error_tx_message_unknown, detail: true },
  tx_wrong: { title: m.error_tx_wrong, detail: true },
  tx_not_asked: { title: m.error_tx_not_asked },
  tx_other_chain: { title: m.error_tx_other_chain, detail: true },
  tx_expired: { title: m.error_tx_expired, detail: true },
  tx_sequence: { title: m.error_tx_sequence, detail: true },
  tx_not_taken: { title: m.error_tx_not_taken, detail: true },
  no_movement: { title: m.error_no_movement },
  delegated: { title: m.error_delegated },
  foreign_supplier: { title: m.error_foreign_supplier, detail: true },
  last_service: { title: m.error_last_service },
  named_twice: { title: m.error_named_twice, detail: true },
  new_service: { title: m.error_new_service },
  new_supplier: { title: m.error_new_supplier, detail: true },
  no_change: { title: m.error_no_change },
  no_gateway: { title: m.error_no_gateway, detail: true },
  no_service: { title: m.error_no_service, detail: true },
  not_delegated: { title: m.error_not_delegated },
  not_signed: { title: m.error_not_signed, detail: true },
  not_served: { title: m.error_not_served, detail: true },
  not_staked: { title: m.error_not_staked },
  others_service: { title: m.error_others_service, detail: true },
  role_changed: { title: m.error_role_changed },
  service_wrong: { title: m.error_service_wrong, detail: true },
  shares_wrong: { title: m.error_shares_wrong, detail: true },
  stake_not_more: { title: m.error_stake_not_more, detail: true },
  stake_too_small: { title: m.error_stake_too_small, detail: true },
  too_many_gateways: { title: m.error_too_many_gateways },
  unbonding: { title: m.error_unbonding, detail: true },
  url_wrong: { title: m.error_url_wrong, detail: true },
  unexpected: { title: m.error_unexpected, detail: true },
  unreachable: { title: m.error_unreachable },
  wallet_damaged: { title: m.error_wallet_damaged },
  wallet_exists: { title: m.error_wallet_exists },
  wallet_newer: { title: m.error_wallet_newer, detail: true },
  weak_password: { title: m.error_weak_password, detail: true },
  which_operator: { title: m.error_which_operator, detail: true },
  wrong_model_kind: { title: m.error_wrong_model_kind },
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
  // The configuration's own check says what is wrong and what would be right; where the page speaks as it does, that is all.
  if (error.code === 'config_refused' && speaksAsNode()) return /[.!?]$/.test(error.message) ? error.message : `${error.message}.`;
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
    return { title: words.title(factsOf(error.values)), more: '', details: joined(own, error.details) };
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
