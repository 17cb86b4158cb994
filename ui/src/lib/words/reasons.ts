// Titles and sentences for the reason codes of the interface design. The API says the figures and, in English, the
// meaning; where we know the code we say it in the person's language.
import type { Reason } from '$lib/api/generated';
import { m } from '$lib/paraglide/messages';

const known: Record<string, { title: () => string; meaning: () => string }> = {
  needs_stake: { title: m.reason_needs_stake, meaning: m.reason_needs_stake_text },
  unreachable: { title: m.reason_unreachable, meaning: m.reason_unreachable_text },
  no_backup: { title: m.reason_no_backup, meaning: m.reason_no_backup_text },
  no_wallet: { title: m.reason_no_wallet, meaning: m.reason_no_wallet_text },
  no_gpu: { title: m.reason_no_gpu, meaning: m.reason_no_gpu_text },
  driver_old: { title: m.reason_driver_old, meaning: m.reason_driver_old_text },
  vram_low: { title: m.reason_vram_low, meaning: m.reason_vram_low_text },
  no_model: { title: m.reason_no_model, meaning: m.reason_no_model_text },
  chain_syncing: { title: m.reason_chain_syncing, meaning: m.reason_chain_syncing_text },
  clock_skew: { title: m.reason_clock_skew, meaning: m.reason_clock_skew_text },
  disk_low: { title: m.reason_disk_low, meaning: m.reason_disk_low_text },
  needs_application: { title: m.reason_needs_application, meaning: m.reason_needs_application_text },
  out_of_stake: { title: m.reason_out_of_stake, meaning: m.reason_out_of_stake_text },
  no_supplier: { title: m.reason_no_supplier, meaning: m.reason_no_supplier_text },
  model_changed: { title: m.reason_model_changed, meaning: m.reason_model_changed_text },
  key_locked: { title: m.reason_key_locked, meaning: m.reason_key_locked_text },
};

export function reasonWords(reason: Reason): { title: string; meaning: string } {
  const words = known[reason.code];
  if (words) return { title: words.title(), meaning: words.meaning() };
  return { title: reason.fact ?? reason.code, meaning: reason.meaning };
}

const steps: Record<string, () => string> = {
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
