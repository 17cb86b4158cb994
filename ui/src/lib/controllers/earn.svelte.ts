// The Earn page: what runs, the pipeline of money, sessions. The state itself comes with the events.
import type { EarnedRelay, EarnedSession, MoneyStage } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { mergeSessions } from '$lib/state/node';
import { Action, Loaded } from './load.svelte';
import { node } from './node.svelte';

export const SESSIONS_A_PAGE = 20;

class Earn {
  readonly page = new Loaded(() => call('GET /earning'));
  readonly summary = new Loaded(() => call('GET /earning/summary'));
  limit = $state(SESSIONS_A_PAGE);
  readonly readSessions = new Loaded(() => call('GET /earning/sessions', { query: { limit: this.limit } }));
  readonly checks = new Loaded(() => call('GET /doctor'));
  readonly toggle = new Action();

  get sessions(): EarnedSession[] | null {
    const read = this.readSessions.value?.sessions;
    return read ? mergeSessions(read, node.state.sessions) : null;
  }

  /** Sessions at a stage, for the captions below the amounts. */
  at(stage: MoneyStage): EarnedSession[] {
    return (this.sessions ?? []).filter((session) => session.stage === stage);
  }

  loadMoney(): void {
    void this.summary.load();
    void this.readSessions.load();
  }

  async start(): Promise<void> {
    await this.toggle.run(() => call('POST /earning/start'));
    await this.page.load();
  }

  async stop(): Promise<void> {
    await this.toggle.run(() => call('POST /earning/stop'));
    await this.page.load();
  }

  /** The change of a supplier's record was made by its owner, elsewhere. */
  async acknowledge(supplier?: string): Promise<void> {
    await this.toggle.run(() => call('POST /earning/acknowledge', { query: supplier ? { supplier } : {} }));
    await this.page.load();
  }

  get canStart(): boolean {
    const earning = node.status?.earning;
    return earning?.state === 'off' && earning.reasons.length === 0;
  }

  get canStop(): boolean {
    const state = node.status?.earning.state;
    return state !== undefined && state !== 'off' && state !== 'draining';
  }

  async relays(session: string, supplier?: string): Promise<{ relays: EarnedRelay[]; total: number }> {
    return call('GET /earning/sessions/{id}/relays', { path: { id: session }, query: { limit: 100, ...(supplier ? { supplier } : {}) } });
  }
}
export const earn = new Earn();
