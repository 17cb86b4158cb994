import type { AccountOnChain } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';
import { node } from './node.svelte';

export type Shown = 'all' | 'transfers' | 'rewards' | 'stakes';
export type HistoryFilter = { shown: Shown; text: string; since: string; until: string };

const kindsOf: Record<Shown, string> = { all: '', transfers: 'sent,received,faucet,morse', rewards: 'reward', stakes: 'stake,unstake,returned,slashed,spent' };

/** Whether anything is left out. */
export const isFiltered = (filter: HistoryFilter): boolean => filter.shown !== 'all' || Boolean(filter.text.trim() || filter.since || filter.until);

/** Days are those of this computer; the last one counts to its end. */
export function queryOf({ shown, text, since, until }: HistoryFilter) {
  const at = (day: string, plus: number): string | undefined => {
    const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
    return day ? new Date(year, month - 1, date + plus).toISOString() : undefined;
  };
  return { kinds: kindsOf[shown] || undefined, q: text.trim() || undefined, since: at(since, 0), until: at(until, 1) };
}

class Wallet {
  readonly page = new Loaded(() => call('GET /wallet'));
  /** Whether there may be a wallet: as long as nobody has said that there is none. */
  private readonly mayExist = (): boolean => node.status?.wallet.exists !== false || this.page.value?.status.exists === true;
  readonly balances = new Loaded(() => call('GET /wallet/balances'), this.mayExist);
  /** What the chain knows of each account. Asked for where accounts or balances change: it is four questions each. */
  readonly onChain = new Loaded(() => call('GET /wallet/accounts'));
  limit = $state(30);
  filter = $state<HistoryFilter>({ shown: 'all', text: '', since: '', until: '' });
  readonly history = new Loaded(() => call('GET /wallet/history', { query: { limit: this.limit, ...queryOf(this.filter) } }), this.mayExist);
  readonly contacts = new Loaded(() => call('GET /contacts'));

  txLimit = $state(20);
  readonly transactions = new Loaded(() => call('GET /wallet/transactions', { query: { limit: this.txLimit } }));
  readonly roles = new Loaded(() => call('GET /roles'), this.mayExist);

  /** The accounts as they are now, with what the chain is known to know of them. */
  readonly known = $derived.by((): AccountOnChain[] => {
    const facts = new Map(this.onChain.value?.accounts.map((one) => [one.account.address, one.on_chain]));
    return (this.page.value?.accounts ?? []).flatMap((account) => {
      const on_chain = facts.get(account.address);
      return on_chain ? [{ account, on_chain }] : [];
    });
  });

  loadAll(): void {
    void this.page.load();
    void this.balances.load();
    void this.history.load();
    void this.transactions.load();
    void this.roles.load();
  }

  async lock(): Promise<void> {
    await call('POST /wallet/lock');
    await this.page.load();
  }
}
export const wallet = new Wallet();
