import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';

class Network {
  readonly page = new Loaded(() => call('GET /network'));
}
export const network = new Network();
