// The configuration of the node: read, changed, and the new start that most of it waits for.
import type { ConfigChange } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Action, Loaded } from './load.svelte';
import { node } from './node.svelte';

class Config {
  readonly page = new Loaded(() => call('GET /config'));
  readonly restart = new Action();
  /** When the node had started that was asked to start anew. */
  private before = $state<string | null>(null);

  /** Whether the node is still on its way. */
  get restarting(): boolean {
    return this.before !== null && node.status?.started_at === this.before;
  }

  value(key: string): string {
    return this.page.value?.settings.find((one) => one.key === key)?.value ?? '';
  }

  /** Changes all of them or none; `null` takes a setting out of the file. */
  async save(action: Action, changes: ConfigChange[]): Promise<boolean> {
    const page = await action.run(() => call('PATCH /config', { body: { changes } }));
    if (page) this.page.value = page;
    return page !== null;
  }

  async startAnew(): Promise<void> {
    const started = node.status?.started_at ?? null;
    await this.restart.run(() => call('POST /restart'));
    if (!this.restart.error) this.before = started;
  }
}
export const config = new Config();
