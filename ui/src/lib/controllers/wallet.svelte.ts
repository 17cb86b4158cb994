import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';

class Wallet {
  readonly page = new Loaded(() => call('GET /wallet'));
  readonly balances = new Loaded(() => call('GET /wallet/balances'));
  limit = $state(30);
  readonly history = new Loaded(() => call('GET /wallet/history', { query: { limit: this.limit } }));

  loadAll(): void {
    void this.page.load();
    void this.balances.load();
    void this.history.load();
  }

  async lock(): Promise<void> {
    await call('POST /wallet/lock');
    await this.page.load();
  }
}
export const wallet = new Wallet();
