// Titles and sentences for the reason codes of the interface design. The API says the figures and, in English, the
// meaning; where we know the code we say it in the person's language.
import type { Check, Reason } from '$lib/api/generated';
import { m } from '$lib/paraglide/messages';
import { joined, speaksAsNode, told } from './technical';

type Words = { title: () => string; meaning: () => string; remedy?: () => string };

/** What may stand in the way of earning, of an answer over the network or of a model; the test compares them with the node. */
export const reasons: Record<string, Words> = {
  needs_stake: { title: m.reason_needs_stake, meaning: m.reason_needs_stake_text },
  no_staked_service: { title: m.reason_no_staked_service, meaning: m.reason_no_staked_service_text, remedy: m.reason_no_staked_service_fix },
  starts_later: { title: m.reason_starts_later, meaning: m.reason_starts_later_text },
  unbonding: { title: m.reason_unbonding, meaning: m.reason_unbonding_text, remedy: m.reason_unbonding_fix },
  url_differs: { title: m.reason_url_differs, meaning: m.reason_url_differs_text, remedy: m.reason_url_differs_fix },
  url_local: { title: m.reason_url_local, meaning: m.reason_url_local_text, remedy: m.reason_url_local_fix },
  answers_lost: { title: m.reason_answers_lost, meaning: m.reason_answers_lost_text, remedy: m.reason_answers_lost_fix },
  slashed: { title: m.reason_slashed, meaning: m.reason_slashed_text, remedy: m.reason_slashed_fix },
  key_elsewhere: { title: m.reason_key_elsewhere, meaning: m.reason_key_elsewhere_text, remedy: m.reason_key_elsewhere_fix },
  record_changed: { title: m.reason_record_changed, meaning: m.reason_record_changed_text, remedy: m.reason_record_changed_fix },
  no_wallet: { title: m.reason_no_wallet, meaning: m.reason_no_wallet_text, remedy: m.reason_no_wallet_fix },
  no_operator: { title: m.reason_no_operator, meaning: m.reason_no_operator_text, remedy: m.reason_no_operator_fix },
  other_owner: { title: m.reason_other_owner, meaning: m.reason_other_owner_text },
  no_model: { title: m.reason_no_model, meaning: m.reason_no_model_text, remedy: m.reason_no_model_fix },
  backend: { title: m.reason_backend, meaning: m.reason_backend_text, remedy: m.reason_backend_fix },
  chain_syncing: { title: m.reason_chain_syncing, meaning: m.reason_chain_syncing_text },
  chain_stalled: { title: m.reason_chain_stalled, meaning: m.reason_chain_stalled_text, remedy: m.reason_chain_stalled_fix },
  chain_unverified: { title: m.reason_chain_unverified, meaning: m.reason_chain_unverified_text, remedy: m.reason_chain_unverified_fix },
  chain_unreachable: { title: m.reason_chain_unreachable, meaning: m.reason_chain_unreachable_text, remedy: m.reason_chain_unreachable_fix },
  trust_expired: { title: m.reason_trust_expired, meaning: m.reason_trust_expired_text, remedy: m.reason_trust_expired_fix },
  trust_conflict: { title: m.reason_trust_conflict, meaning: m.reason_trust_conflict_text, remedy: m.reason_trust_conflict_fix },
  clock_skew: { title: m.reason_clock_skew, meaning: m.reason_clock_skew_text, remedy: m.reason_clock_skew_fix },
  disk_low: { title: m.reason_disk_low, meaning: m.reason_disk_low_text, remedy: m.reason_disk_low_fix },
  port_taken: { title: m.reason_port_taken, meaning: m.reason_port_taken_text, remedy: m.reason_port_taken_fix },
  no_funds: { title: m.reason_no_funds, meaning: m.reason_no_funds_text, remedy: m.reason_no_funds_fix },
  key_locked: { title: m.reason_key_locked, meaning: m.reason_key_locked_text, remedy: m.reason_key_locked_fix },
  needs_application: { title: m.reason_needs_application, meaning: m.reason_needs_application_text },
  application_leaving: { title: m.reason_application_leaving, meaning: m.reason_application_leaving_text, remedy: m.reason_application_leaving_fix },
  application_not_delegated: { title: m.reason_application_alone, meaning: m.reason_application_not_delegated_text, remedy: m.reason_application_not_delegated_fix },
  application_unguarded: { title: m.reason_application_alone, meaning: m.reason_application_unguarded_text, remedy: m.reason_application_unguarded_fix },
  daily_cap_reached: { title: m.reason_daily_cap_reached, meaning: m.reason_daily_cap_reached_text },
  out_of_stake: { title: m.reason_out_of_stake, meaning: m.reason_out_of_stake_text },
  no_supplier: { title: m.reason_no_supplier, meaning: m.reason_no_supplier_text },
  model_changed: { title: m.reason_model_changed, meaning: m.reason_model_changed_text, remedy: m.reason_model_changed_fix },
};

/** What only the checks of the doctor say. */
export const checks: Record<string, Omit<Words, 'title'>> = {
  not_sealed: { meaning: m.check_not_sealed, remedy: m.check_not_sealed_fix },
  chain_program: { meaning: m.check_chain_program, remedy: m.check_chain_program_fix },
  address_near: { meaning: m.check_address_near, remedy: m.check_address_near_fix },
  unreachable: { meaning: m.check_unreachable, remedy: m.check_unreachable_fix },
  no_backup: { meaning: m.reason_no_backup_text, remedy: m.check_no_backup_fix },
  no_words: { meaning: m.check_no_words, remedy: m.check_no_words_fix },
  no_gpu: { meaning: m.check_no_gpu },
  gpu_unused: { meaning: m.check_gpu_unused },
  gpu_unknown: { meaning: m.check_gpu_unknown },
  models_unreadable: { meaning: m.check_models_unreadable, remedy: m.check_models_unreadable_fix },
  disk_unknown: { meaning: m.check_disk_unknown },
  endpoint_stale: { meaning: m.check_endpoint, remedy: m.check_endpoint_fix },
  endpoint_down: { meaning: m.check_endpoint, remedy: m.check_endpoint_fix },
  endpoint_limited: { meaning: m.check_endpoint, remedy: m.check_endpoint_limited },
  endpoint_lied: { meaning: m.check_endpoint, remedy: m.check_endpoint_out },
  endpoint_other_chain: { meaning: m.check_endpoint, remedy: m.check_endpoint_out },
  alias_nowhere: { meaning: m.check_alias, remedy: m.check_alias_fix },
  disk_full: { meaning: m.check_disk_full, remedy: m.reason_disk_low_fix },
};

export type ReasonWords = { title: string; meaning: string; remedy: string | null; fact: string | null; details: string | null };

/** Their fact is what a program said that failed: no page shows it but under Details. */
const rawFacts = new Set(['chain_unreachable', 'chain_unverified', 'chain_stalled', 'trust_expired']);

export function reasonWords(reason: Reason): ReasonWords {
  const words = reasons[reason.code];
  const fact = rawFacts.has(reason.code) ? { shown: null, details: reason.fact ?? null } : told(reason.fact);
  if (words) {
    return { title: words.title(), meaning: words.meaning(), remedy: words.remedy?.() ?? null, fact: fact.shown, details: fact.details };
  }
  if (speaksAsNode()) {
    return { title: reason.fact ?? reason.code, meaning: reason.meaning, remedy: reason.remedy ?? null, fact: null, details: null };
  }
  const details = joined(reason.fact, reason.meaning, reason.remedy);
  return { title: m.reason_unknown(), meaning: '', remedy: null, fact: null, details };
}

/** Why a model cannot be asked and what to do, where there is one line for it. */
export function whyNot(reason: Reason): string {
  const { title, meaning: general, remedy } = reasonWords(reason);
  // What stands in the way of earning, too, is there said of earning.
  const meaning = reason.code === 'no_wallet' ? m.answer_no_wallet() : general;
  return joined(meaning, remedy) ?? title;
}

/** How grave a note is that is said on every page; other notes stand on the Earn page alone. */
export const moneyNotes: Record<string, 'danger' | 'warn'> = { record_changed: 'danger', key_elsewhere: 'danger', slashed: 'danger', answers_lost: 'warn' };

export const subjects: Record<string, () => string> = {
  Backend: m.subject_backend,
  Backup: m.subject_backup,
  Chain: m.subject_chain,
  Clock: m.subject_clock,
  Disk: m.subject_disk,
  Endpoint: m.subject_endpoint,
  Graphics: m.subject_graphics,
  Models: m.subject_models,
  Reachable: m.subject_reachable,
  Stake: m.subject_stake,
  Wallet: m.subject_wallet,
};

export type CheckWords = Omit<ReasonWords, 'title'> & { subject: string };

/** A check of the doctor. What it found in English words goes under Details on another page. */
export function checkWords(check: Check): CheckWords {
  const subject = subjects[check.subject]?.() ?? check.subject;
  const words = check.level === 'ok' ? undefined : (checks[check.code] ?? reasons[check.code]);
  const fact = told(check.fact);
  if (words) return { subject, meaning: words.meaning(), remedy: words.remedy?.() ?? null, fact: fact.shown, details: fact.details };
  const [meaning, remedy] = [told(check.meaning), told(check.remedy)];
  const details = joined(fact.details, meaning.details, remedy.details);
  return { subject, meaning: meaning.shown ?? '', remedy: remedy.shown, fact: fact.shown, details };
}

export const steps: Record<string, () => string> = {
  model: m.setup_model,
  wallet: m.setup_wallet,
  faucet: m.setup_faucet,
  service: m.setup_service,
  supplier: m.setup_supplier,
  application: m.setup_application,
  gateway: m.setup_gateway,
  delegation: m.setup_delegation,
  earning: m.setup_earning,
};

export const stepTitle = (id: string, fallback: string): string => steps[id]?.() ?? fallback;
