import { call } from '$lib/api/request';
import { Action, Loaded } from './load.svelte';

export const RECEIPTS_A_PAGE = 20;

class Network {
  readonly page = new Loaded(() => call('GET /network'));
  receiptLimit = $state(RECEIPTS_A_PAGE);
  readonly receipts = new Loaded(() => call('GET /receipts', { query: { limit: this.receiptLimit } }));
  readonly deciding = new Action();

  /** A person has decided between the chain and the trusted block that it contradicts. */
  async preferAnchor(): Promise<void> {
    await this.deciding.run(() => call('POST /network/trust'));
    await this.page.load();
  }
}
export const network = new Network();
