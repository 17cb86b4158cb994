// The connection to the node: signs in, follows its events, says when it is gone.
import { forgetPageKey, pageKey, whenSignedInElsewhere } from '$lib/api/pageKey';
import { ApiError, call, whenSignedOut } from '$lib/api/request';
import { stream } from '$lib/api/stream';
import { emptyNode, reduce, type NodeState } from '$lib/state/node';
import { losses } from './losses.svelte';

export type Connection = 'starting' | 'signed-out' | 'open' | 'lost';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

class Node {
  state = $state.raw<NodeState>(emptyNode);
  connection = $state<Connection>('starting');
  /** When the last event came, for "last seen" while the node is gone. */
  lostSince = $state<Date | null>(null);
  /** This browser was signed in, and is not any more without having signed out. */
  hasEnded = $state(false);
  /** A person signs out: what is refused meanwhile is no end of its own. */
  private isLeaving = false;
  private stop: AbortController | null = null;

  get status() {
    return this.state.status;
  }

  /** Signs in with the token of the address line, if there is one, and follows the events from then on. */
  async start(): Promise<void> {
    whenSignedOut(() => {
      this.stop?.abort();
      if (this.connection !== 'signed-out') this.hasEnded = !this.isLeaving && (pageKey() !== null || this.connection !== 'starting');
      this.connection = 'signed-out';
    });
    whenSignedInElsewhere(() => {
      if (this.connection !== 'signed-out') return;
      this.connection = 'starting';
      void this.follow();
    });
    const token = takeTokenFromAddress();
    if (token) await call('POST /auth/session', { body: { token } }).catch(() => {});
    void this.follow();
  }

  async signIn(secret: { token: string } | { password: string }): Promise<void> {
    await call('POST /auth/session', { body: secret });
    this.connection = 'starting';
    void this.follow();
  }

  async signOut(): Promise<void> {
    this.isLeaving = true;
    try {
      await call('DELETE /auth/session');
    } finally {
      this.isLeaving = false;
    }
    forgetPageKey();
    this.stop?.abort();
    this.state = emptyNode;
    this.hasEnded = false;
    this.connection = 'signed-out';
  }

  private async follow(): Promise<void> {
    this.stop?.abort();
    const stop = new AbortController();
    this.stop = stop;
    let wait = FIRST_WAIT_MS;
    while (!stop.signal.aborted) {
      try {
        await stream('GET /events', { signal: stop.signal }, (event) => {
          this.state = reduce(this.state, event);
          if (event.type === 'claim') losses.see(event);
          wait = FIRST_WAIT_MS;
          this.connection = 'open';
          this.lostSince = null;
        });
      } catch (error) {
        if (stop.signal.aborted || (error instanceof ApiError && error.status === 401)) return;
      }
      if (stop.signal.aborted) return;
      this.connection = 'lost';
      this.lostSince ??= new Date();
      await new Promise((resume) => setTimeout(resume, wait));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }
}

function takeTokenFromAddress(): string | null {
  const match = /^#token=([^&]+)$/.exec(location.hash);
  if (!match?.[1]) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return decodeURIComponent(match[1]);
}

export const node = new Node();
