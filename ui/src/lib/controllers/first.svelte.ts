// The first run. What a person has gone through is kept by the node, so that a reload or a restart goes on there.
import type { FirstRole, FirstStepId, FirstStepState } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Action, Loaded } from './load.svelte';

class First {
  readonly page = new Loaded(() => call('GET /first-run'));
  readonly noting = new Action();

  /** The step at which it goes on: the first that is open. */
  get next(): FirstStepId {
    const steps = this.page.value?.steps ?? [];
    return steps.find((step) => step.state === 'open')?.id ?? 'ready';
  }

  state(id: FirstStepId): FirstStepState {
    return this.page.value?.steps.find((step) => step.id === id)?.state ?? 'open';
  }

  async note(patch: { step?: { id: FirstStepId; state: FirstStepState }; role?: FirstRole; ended?: boolean }): Promise<boolean> {
    const page = await this.noting.run(() => call('PATCH /first-run', { body: patch }));
    if (page) this.page.value = page;
    return page !== null;
  }
}
export const first = new First();
