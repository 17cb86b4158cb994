// What to know before something is signed, in the person's language.
import type { RoleNote } from '$lib/api/generated';
import { dateAndClock, duration, height } from '$lib/format/figures';
import { exactText } from '$lib/format/money';
import { m } from '$lib/paraglide/messages';

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
  const limit = (): string => (value('amount') ? `${amount()} POKT` : value('coins'));
  const power = (): { who: string; account: string; until: string } => ({
    who: value('who'),
    account: value('account'),
    until: value('until') ? m.role_note_power_until({ time: dateAndClock(value('until')) }) : m.role_note_power_for_ever(),
  });
  const words: Record<string, () => string> = {
    at_risk: () => m.role_note_at_risk({ amount: amount() }),
    back: () => m.role_note_back({ amount: amount() }),
    changes: () => m.role_note_changes({ what: changed(value('what')), service: value('service'), from: value('from'), to: value('to') }),
    charge: () => m.role_note_charge({ amount: amount() }),
    end_unchecked: () => m.role_note_end_unchecked(),
    in_name_of: () => m.role_note_in_name_of({ who: value('who'), accounts: value('accounts') }),
    power_fees: () => (limit() ? m.role_note_power_fees({ ...power(), limit: limit() }) : m.role_note_power_fees_any(power())),
    power_messages: () => m.role_note_power_messages({ ...power(), message: value('message') }),
    power_money: () => (value('to') ? m.role_note_power_money_to({ ...power(), limit: limit() || '0', to: value('to') }) : m.role_note_power_money({ ...power(), limit: limit() || '0' })),
    delegates: () => m.role_note_delegates({ gateway: value('gateway'), application: value('application') }),
    elsewhere: () => m.role_note_elsewhere({ account: value('account') }),
    free: () => m.role_note_free(),
    first_payment: () => m.role_note_first_payment({ addresses: value('addresses') }),
    foreign: () => m.role_note_foreign({ owner: value('owner') }),
    from: () => m.role_note_from({ height: block() }),
    given_up: () => m.role_note_given_up({ operator: value('operator') }),
    hot_stake: () => m.role_note_hot_stake(),
    leaves: () => m.role_note_leaves({ service: value('service') }),
    looks_like: () => m.role_note_looks_like({ address: value('address'), name: value('name') || m.role_note_known_address(), count: Number(value('differs')), other: value('other') }),
    morse_comes: () => m.role_note_morse_comes({ amount: amount(), from: value('from'), to: value('to') }),
    morse_stake_comes: () => m.role_note_morse_stake_comes({ amount: amount(), to: value('to') }),
    morse_stake_stays: () => m.role_note_morse_stake_stays({ amount: amount(), to: value('to') }),
    nobody_signs: () => m.role_note_nobody_signs(),
    other_chain: () => m.role_note_other_chain({ address: value('address') }),
    other_number: () => m.role_note_other_number({ given: value('given'), known: value('known') }),
    other_sequence: () => m.role_note_other_sequence({ given: value('given'), next: value('next') }),
    other_signer: () => m.role_note_other_signer({ signer: value('signer'), account: value('account') }),
    retires: () => m.role_note_retires({ services: value('services') }),
    shares_lost: () => m.role_note_shares_lost({ service: value('service'), shares: value('shares') }),
    service_given: () => m.role_note_service_given({ service: value('service'), owner: value('owner') }),
    shares_for: () => m.role_note_shares_for({ service: value('service'), shares: value('shares') }),
    settlements_take: () => m.role_note_settlements_take({ amount: amount() }),
    open_unpaid: () => m.role_note_open_unpaid(),
    stake_for: () => (value('amount') ? m.role_note_stake_for({ amount: amount(), operator: value('operator'), owner: value('owner') }) : m.role_note_stake_for_any({ operator: value('operator'), owner: value('owner') })),
    stake_given: () => m.role_note_stake_given({ from: value('from'), to: value('to') }),
    stays: () => m.role_note_stays(),
    unbonding: () => {
      const blocks = height(Number(value('blocks')));
      const seconds = value('seconds');
      return seconds ? m.role_note_unbonding_time({ blocks, time: duration(Number(seconds) * 1000) }) : m.role_note_unbonding({ blocks });
    },
    until: () => m.role_note_until({ height: block() }),
    working: () => m.role_note_working({ amount: amount() }),
  };
  return words[note.code]?.() ?? note.text;
}
