// What the whole UI knows about the node, and the one reducer that every event goes through: the first `status` of a
// stream, what follows it, and the `status` after a reconnect alike.
import type {
  ConversationSummary,
  Download,
  EarnedSession,
  Event,
  Head,
  Setup,
  Status,
} from '$lib/api/generated';

/** Counters of "read this again": a page that shows the thing reloads when its counter moves. */
export type Revisions = { balances: number; models: number; status: number; claims: number; conversations: number; signatures: number };

export type NodeState = {
  status: Status | null;
  /** Sessions that moved since the page was opened, by id; a page lays them over the list it read. */
  sessions: Record<string, EarnedSession>;
  downloads: Record<string, Download>;
  conversations: Record<string, ConversationSummary | 'deleted'>;
  answered: number | null;
  /** The first block of this stream: a mean block time is taken from it where the node says none. */
  first: Head | null;
  revisions: Revisions;
};

export const emptyNode: NodeState = {
  status: null,
  sessions: {},
  downloads: {},
  conversations: {},
  answered: null,
  first: null,
  revisions: { balances: 0, models: 0, status: 0, claims: 0, conversations: 0, signatures: 0 },
};

function bump(state: NodeState, ...names: (keyof Revisions)[]): Revisions {
  const revisions = { ...state.revisions };
  for (const name of names) revisions[name] += 1;
  return revisions;
}

function withStatus(state: NodeState, change: Partial<Status>): NodeState {
  return state.status ? { ...state, status: { ...state.status, ...change } } : state;
}

const LEAST_BLOCKS = 3; // fewer say more about the network's mood than about the mean

function withHead(state: NodeState, head: Head): NodeState {
  const first = state.first ?? head;
  const blocks = head.height - first.height;
  const mean = blocks < LEAST_BLOCKS ? null : Math.round((Date.parse(head.time) - Date.parse(first.time)) / blocks);
  return { ...withStatus(state, { head: { ...head, block_time_ms: head.block_time_ms ?? mean } }), first };
}

function untagged<T extends { type: string }>(event: T): Omit<T, 'type'> {
  const { type: _, ...rest } = event;
  return rest;
}

export function reduce(state: NodeState, event: Event): NodeState {
  switch (event.type) {
    case 'status':
      // The stream began anew or we fell behind: nothing that was collected since is known to be complete.
      return {
        ...emptyNode,
        status: untagged(event),
        revisions: bump(state, 'balances', 'models', 'status', 'claims', 'conversations', 'signatures'),
      };
    case 'head':
      return withHead(state, untagged(event));
    case 'earning':
      return withStatus(state, { earning: untagged(event) });
    case 'relay':
      return { ...state, answered: event.answered, revisions: bump(state, 'status') };
    case 'claim':
      return {
        ...state,
        sessions: { ...state.sessions, [sessionKey(event)]: untagged(event) },
        revisions: bump(state, 'claims'),
      };
    case 'download': {
      const revisions = event.state === 'ready' ? bump(state, 'models') : state.revisions;
      return { ...state, downloads: { ...state.downloads, [event.cid]: untagged(event) }, revisions };
    }
    case 'setup':
      return { ...withStatus(state, { setup: untagged(event) as Setup }) };
    case 'wallet':
      return withStatus(state, { wallet: untagged(event) });
    case 'balances':
      return { ...state, revisions: bump(state, 'balances') };
    case 'signatures':
      return { ...state, revisions: bump(state, 'signatures') };
    case 'models':
      return { ...state, revisions: bump(state, 'models') };
    case 'conversation':
      return {
        ...state,
        conversations: { ...state.conversations, [event.id]: untagged(event) },
        revisions: bump(state, 'conversations'),
      };
    case 'conversation_deleted':
      return {
        ...state,
        conversations: { ...state.conversations, [event.id]: 'deleted' },
        revisions: bump(state, 'conversations'),
      };
    default:
      return unknown(state, event);
  }
}

/** A newer node may say what this page does not know; a missing case in this file does not compile. */
function unknown(state: NodeState, _event: never): NodeState {
  return state;
}

/** Names a session: two suppliers of one node may serve in the same one. */
export function sessionKey(session: Pick<EarnedSession, 'id' | 'supplier'>): string {
  return session.supplier ? `${session.id} ${session.supplier}` : session.id;
}

/** Lays sessions that moved over a list that was read before, the newest first. */
export function mergeSessions(read: EarnedSession[], moved: Record<string, EarnedSession>): EarnedSession[] {
  const known = new Set(read.map(sessionKey));
  const fresh = Object.values(moved).filter((session) => !known.has(sessionKey(session)));
  // An event says what was known when the session moved; a list that was read since knows the shares, too.
  const newer = (a: EarnedSession, b: EarnedSession | undefined) => (b && b.updated_at > a.updated_at ? b : a);
  const merged = read.map((session) => newer(session, moved[sessionKey(session)]));
  return [...fresh, ...merged].sort((a, b) => b.start_height - a.start_height || (sessionKey(a) < sessionKey(b) ? -1 : 1));
}

/** Whether the play network runs inside this program, and not on another computer: it sells and stakes by itself. */
export const ownDevnet = (status: Pick<Status, 'network' | 'setup'>): boolean => status.network.is_devnet && status.setup.steps.length > 0;
