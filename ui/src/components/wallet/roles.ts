// Roles: which form asks for what, and the words of what to know before.
import type { RoleNote, RoleOrder } from '$lib/api/generated';
import { duration, height } from '$lib/format/figures';
import { exactText } from '$lib/format/money';
import { m } from '$lib/paraglide/messages';

export type RoleForm =
  | 'supplier'
  | 'application'
  | 'gateway'
  | 'unstake_supplier'
  | 'unstake_application'
  | 'unstake_gateway'
  | 'delegate'
  | 'undelegate'
  | 'service';

/** The order of a form that asks for nothing. `operator`: of which supplier, where there are several. */
export function orderOf(form: RoleForm, operator: string | null = null): RoleOrder | null {
  if (form === 'unstake_supplier') return { type: 'unstake', role: 'supplier', ...(operator ? { operator } : {}) };
  if (form === 'unstake_application') return { type: 'unstake', role: 'application' };
  if (form === 'unstake_gateway') return { type: 'unstake', role: 'gateway' };
  if (form === 'delegate') return { type: 'delegate' };
  return form === 'undelegate' ? { type: 'undelegate' } : null;
}

/** A long time, in days where it is that long. */
export const roughly = (seconds: number): string => duration(seconds * 1000);

/** What a change is of, by the node's word. */
function changed(what: string): string {
  const words: Record<string, () => string> = { name: m.role_changed_name, compute_units: m.role_changed_units, card: m.role_changed_card, shares: m.role_changed_shares };
  return words[what]?.() ?? m.role_changed_url();
}

/** A note in the person's language; one that this page does not know is shown as the node wrote it. */
export function noteText(note: RoleNote): string {
  const value = (name: string): string => String(note.values?.[name] ?? '');
  const amount = (): string => exactText(value('amount') || '0');
  const block = (): string => height(Number(value('height')));
  const words: Record<string, () => string> = {
    at_risk: () => m.role_note_at_risk({ amount: amount() }),
    back: () => m.role_note_back({ amount: amount() }),
    changes: () => m.role_note_changes({ what: changed(value('what')), service: value('service'), from: value('from'), to: value('to') }),
    charge: () => m.role_note_charge({ amount: amount() }),
    elsewhere: () => m.role_note_elsewhere({ account: value('account') }),
    free: () => m.role_note_free(),
    foreign: () => m.role_note_foreign({ owner: value('owner') }),
    from: () => m.role_note_from({ height: block() }),
    hot_stake: () => m.role_note_hot_stake(),
    leaves: () => m.role_note_leaves({ service: value('service') }),
    morse_comes: () => m.role_note_morse_comes({ amount: amount(), from: value('from'), to: value('to') }),
    morse_stake_comes: () => m.role_note_morse_stake_comes({ amount: amount(), to: value('to') }),
    morse_stake_stays: () => m.role_note_morse_stake_stays({ amount: amount(), to: value('to') }),
    retires: () => m.role_note_retires({ services: value('services') }),
    shares_lost: () => m.role_note_shares_lost({ service: value('service'), shares: value('shares') }),
    settlements_take: () => m.role_note_settlements_take({ amount: amount() }),
    open_unpaid: () => m.role_note_open_unpaid(),
    stays: () => m.role_note_stays(),
    unbonding: () => {
      const blocks = height(Number(value('blocks')));
      const seconds = value('seconds');
      return seconds ? m.role_note_unbonding_time({ blocks, time: roughly(Number(seconds)) }) : m.role_note_unbonding({ blocks });
    },
    until: () => m.role_note_until({ height: block() }),
    working: () => m.role_note_working({ amount: amount() }),
  };
  return words[note.code]?.() ?? note.text;
}

/** A card as it was typed: an object, nothing, or no card. */
export function readCard(text: string): Record<string, unknown> | null | 'wrong' {
  if (!text.trim()) return null;
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : 'wrong';
  } catch {
    return 'wrong';
  }
}
