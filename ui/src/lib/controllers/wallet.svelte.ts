import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';

class Wallet {
  readonly page = new Loaded(() => call('GET /wallet'));
  readonly balances = new Loaded(() => call('GET /wallet/balances'));
  limit = $state(30);
  readonly history = new Loaded(() => call('GET /wallet/history', { query: { limit: this.limit } }));

  txLimit = $state(20);
  readonly transactions = new Loaded(() => call('GET /wallet/transactions', { query: { limit: this.txLimit } }));
  readonly roles = new Loaded(() => call('GET /roles'));

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
