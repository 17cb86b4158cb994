// The words of what an account is for, and where its key comes from.
import type { Account, AccountKind, AccountOnChain, OnChain, Purpose } from '$lib/api/generated';
import { wallet } from '$lib/controllers/wallet.svelte';
import { lookAlike } from '$lib/format/lookalike';
import { m } from '$lib/paraglide/messages';

export const purposes: Purpose[] = ['owner', 'operator', 'gateway', 'application'];

export const purposeNames: Record<Purpose, () => string> = {
  owner: m.purpose_owner,
  operator: m.purpose_operator,
  gateway: m.purpose_gateway,
  application: m.purpose_application,
};
export const purposeTexts: Record<Purpose, () => string> = {
  owner: m.purpose_owner_text,
  operator: m.purpose_operator_text,
  gateway: m.purpose_gateway_text,
  application: m.purpose_application_text,
};
export const kindNames: Record<AccountKind, () => string> = {
  words: m.kind_words,
  raw: m.kind_raw,
  armored: m.kind_armored,
  watch: m.kind_watch,
};
export const stateNames: Record<Account['state'], () => string> = {
  locked: m.is_locked,
  open: m.is_unlocked,
  elsewhere: m.is_elsewhere,
};

/** What an account is for, in one line. */
export function purposesOf(account: Account): string {
  return account.purposes.length ? purposeList(account.purposes) : m.purpose_none();
}

/** The name of an account: the two that every wallet is made with have names in the person's language. */
export function nameOf(label: string): string {
  if (label === 'main') return m.main_key();
  return label === 'working' ? m.working_key() : label;
}

/** The name of an account of this wallet by its address. */
export function ownName(address: string): string | null {
  const label = wallet.page.value?.accounts.find((one) => one.address === address)?.label;
  return label === undefined ? null : nameOf(label);
}

/** A contact or an account of this wallet of another address whose name is taken for this one. */
export function namedAlike(name: string, address: string): { name: string; address: string } | null {
  const own = (wallet.page.value?.accounts ?? []).map((one) => ({ name: nameOf(one.label), address: one.address }));
  return lookAlike({ name, address }, [...(wallet.contacts.value?.contacts ?? []), ...own]);
}

/** What a key already is on the chain. */
const staked = (known: OnChain): Purpose[] => [
  ...(known.supplier ? (['operator'] as const) : []),
  ...(known.gateway ? (['gateway'] as const) : []),
  ...(known.application ? (['application'] as const) : []),
];

/** What a key could do here, for it is staked for it and whoever does it here now is not. */
export function couldBe(address: string, known: OnChain, here: AccountOnChain[]): Purpose[] {
  const holder = (purpose: Purpose) => here.find((one) => one.account.purposes.includes(purpose));
  const isFree = (purpose: Purpose) => {
    const now = holder(purpose);
    return now?.account.address !== address && !(now && staked(now.on_chain).includes(purpose));
  };
  return staked(known).filter(isFree);
}

export const purposeList = (purposes: Purpose[]): string => purposes.map((one) => purposeNames[one]()).join(', ');
