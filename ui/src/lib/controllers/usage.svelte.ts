// What was asked for by whom, over the last days.
import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';

class UsageState {
  days = $state(30);
  readonly report = new Loaded(() => call('GET /usage', { query: { days: this.days } }));

  show(days: number): void {
    this.days = days;
    void this.report.load();
  }
}
export const usage = new UsageState();
