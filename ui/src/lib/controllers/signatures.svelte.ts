// What programs want signed, one after the other. What was put before the owner stays there until it is decided or closed:
// a program that takes its request back, or asks for something else, never changes what *Sign* would sign.
import type { SignatureRequest } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Action, Loaded } from './load.svelte';

/** How long something is shown before it can be signed: a key or a click that was meant for the page signs nothing. */
export const LOOK_MS = 1000;

export class Signatures {
  shown = $state.raw<SignatureRequest | null>(null);
  /** What is shown waits no more: its program took it back, or it was decided elsewhere or ran out. */
  gone = $state(false);
  /** It was shown long enough to be signed. */
  looked = $state(false);
  password = $state('');
  readonly deciding = new Action();
  private readonly list = new Loaded(() => call('GET /signatures'));
  /** Decided, closed or put off here: they do not come up again until the page is loaded anew. */
  private readonly past = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  readonly needsPassword = $derived.by(() => {
    const shown = this.shown;
    const now = this.list.value?.requests.find((one) => one.id === shown?.id) ?? shown;
    return now?.needs_password ?? false;
  });
  readonly mayRefuse = $derived(this.shown !== null && !this.gone && !this.deciding.running);
  readonly maySign = $derived(this.mayRefuse && this.looked && !(this.needsPassword && !this.password));

  /** Reads what waits. */
  async load(): Promise<void> {
    await this.list.load();
    const requests = this.list.value?.requests ?? [];
    const shown = this.shown;
    if (!shown) this.show(requests.find((one) => !this.past.has(one.id)) ?? null);
    // What is being decided leaves the list before the answer is here.
    else if (!this.deciding.running) this.gone = !requests.some((one) => one.id === shown.id);
  }

  async sign(): Promise<void> {
    const one = this.shown;
    if (!one || !this.maySign) return;
    const password = this.needsPassword ? this.password : undefined;
    await this.decide(one.id, () => call('POST /signatures/{id}/approve', { path: { id: one.id }, body: password ? { password } : {} }));
  }

  async refuse(): Promise<void> {
    const one = this.shown;
    if (!one || !this.mayRefuse) return;
    await this.decide(one.id, () => call('POST /signatures/{id}/refuse', { path: { id: one.id } }));
  }

  private async decide(id: string, order: () => Promise<unknown>): Promise<void> {
    const done = await this.deciding.run(async () => {
      await order();
      return true;
    });
    this.password = '';
    if (done && this.shown?.id === id) this.leave();
    await this.load();
  }

  /** Puts what is shown off, or away where it waits no more; what waits next comes up. */
  async close(): Promise<void> {
    this.leave();
    await this.load();
  }

  private leave(): void {
    if (this.shown) this.past.add(this.shown.id);
    this.show(null);
  }

  private show(one: SignatureRequest | null): void {
    clearTimeout(this.timer);
    this.shown = one;
    this.gone = this.looked = false;
    this.password = '';
    this.deciding.error = null;
    if (one) this.timer = setTimeout(() => (this.looked = true), LOOK_MS);
  }
}
