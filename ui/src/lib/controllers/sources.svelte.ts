// The services that accounts of this wallet own, and what this node knows of their use.
import type { EarnedSession, ServiceDetail, ServiceEntry, UsageSum } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { add } from '$lib/format/money';
import { Loaded, MOST_ROWS } from './load.svelte';

/** What this node did of a service. Nothing of it says what others did. */
export type OwnUse = { sessions: number; answers: number; settled: string; asked: number; cost: string };
/** A network has hundreds of services; no more pages than this are read. */
const MOST_PAGES = 20;
/** Days that a node keeps the sums of what was asked for. */
export const ASKED_DAYS = 30;

async function allServices(): Promise<ServiceEntry[]> {
  const all: ServiceEntry[] = [];
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { services, total } = await call('GET /roles/services', { query: { limit: MOST_ROWS, offset: all.length } });
    all.push(...services);
    if (services.length === 0 || all.length >= total) break;
  }
  return all;
}

class Sources {
  readonly services = new Loaded(allServices);
  readonly sessions = new Loaded(() => call('GET /earning/sessions', { query: { limit: MOST_ROWS } }));
  readonly asked = new Loaded(() => call('GET /usage', { query: { days: ASKED_DAYS } }));

  load(): void {
    void this.services.load();
    void this.sessions.load();
    void this.asked.load();
  }

  detail(id: string): Promise<ServiceDetail> {
    return call('GET /roles/services/{id}', { path: { id } });
  }

  /** What this node did of a service; `null` while its ledger is not read. */
  useOf(id: string): OwnUse | null {
    const [sessions, asked] = [this.sessions.value, this.asked.value];
    return sessions && asked ? ownUse(id, sessions.sessions, asked.sums) : null;
  }

  /** Whether there are older sessions than those that are summed. */
  get isPart(): boolean {
    const read = this.sessions.value;
    return read !== null && read.total > read.sessions.length;
  }
}

export function ownUse(id: string, sessions: EarnedSession[], sums: UsageSum[]): OwnUse {
  const served = sessions.filter((one) => one.service === id);
  const asked = sums.filter((one) => one.model === `pocket/${id}`);
  const settled = served.flatMap((one) => (one.settled ? [one.settled] : []));
  return {
    sessions: served.length,
    answers: served.reduce((sum, one) => sum + one.answers, 0),
    settled: add(...settled),
    asked: asked.reduce((sum, one) => sum + one.counts.requests, 0),
    cost: add(...asked.map((one) => one.counts.cost)),
  };
}

export const sources = new Sources();
