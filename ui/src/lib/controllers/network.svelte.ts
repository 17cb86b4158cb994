import type { EndpointTrial, GiveAnchor } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Action, Loaded } from './load.svelte';

export const RECEIPTS_A_PAGE = 20;

class Network {
  readonly page = new Loaded(() => call('GET /network'));
  receiptLimit = $state(RECEIPTS_A_PAGE);
  readonly receipts = new Loaded(() => call('GET /receipts', { query: { limit: this.receiptLimit } }));
  readonly evidence = new Loaded(() => call('GET /network/evidence'));
  readonly deciding = new Action();
  readonly trusting = new Action();
  readonly changing = new Action();
  readonly trying = new Action();
  /** What the endpoints showed when they were tried last. */
  trials = $state.raw<EndpointTrial[] | null>(null);

  /** A person has decided between the chain and the trusted block that it contradicts. */
  async preferAnchor(): Promise<void> {
    await this.deciding.run(() => call('POST /network/trust'));
    await this.page.load();
  }

  /** A person gives the block that is trusted. */
  async giveAnchor(anchor: GiveAnchor): Promise<void> {
    await this.trusting.run(() => call('POST /network/anchor', { body: anchor }));
    await this.page.load();
  }

  async forgetAnchor(): Promise<void> {
    await this.trusting.run(() => call('DELETE /network/anchor'));
    await this.page.load();
  }

  async addEndpoint(url: string): Promise<void> {
    await this.changing.run(() => call('POST /network/endpoints', { body: { url } }));
    await this.page.load();
  }

  async removeEndpoint(endpoint: string): Promise<void> {
    await this.changing.run(() => call('POST /network/endpoints/remove', { body: { endpoint } }));
    await this.page.load();
  }

  async tryEndpoints(): Promise<void> {
    const tried = await this.trying.run(() => call('POST /network/endpoints/test', { body: {} }));
    if (tried) this.trials = tried.trials;
  }
}
export const network = new Network();
