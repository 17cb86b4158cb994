// What was asked for among the transactions of this node: whether the same payment was made before, and what became of a
// payment or a change of roles whose answer did not come.
import type { OwnTransaction, RoleReview, SendReview, TransactionList } from '$lib/api/generated';
import { call, type ApiError } from '$lib/api/request';
import { Action } from './load.svelte';
import { wallet } from './wallet.svelte';

type Paid = Pick<SendReview, 'to' | 'amount' | 'memo'>;
/** How one of the transactions that were asked for is known. */
type Wanted = (one: OwnTransaction) => boolean;
/** What became of it; `unseen`: the node has not said that it knows it. */
export type SentEnd = 'unseen' | 'on_its_way' | 'done' | 'over';

const NEWEST = 100;
const SAME_WITHIN_MS = 30 * 60_000;
const LOOK_EVERY_MS = 3000;
/** The node itself looks for ten minutes. */
const LOOKS = 200;

export const isDone = (one: OwnTransaction): boolean => one.state === 'placed' || one.state === 'included';
export const isOpen = (one: OwnTransaction): boolean => one.state === 'waiting' || one.state === 'signed';
/** Whether it may have been sent all the same: the answer did not come, or says that nobody knows. */
export const isInDoubt = (error: ApiError | null): boolean => error !== null && (error.unreachable || error.code === 'not_seen' || error.code === 'stopping');
const newest = async (): Promise<OwnTransaction[]> => (await call('GET /wallet/transactions', { query: { limit: NEWEST } })).transactions;

export function isSame(one: OwnTransaction, { to, amount, memo }: Paid): boolean {
  return one.reason === 'payment' && one.counterparty === to && one.amount === amount && (one.memo ?? '') === (memo ?? '');
}

/** The newest that is the same and is open, or was made within the last half hour. */
export function madeBefore(all: OwnTransaction[], order: Paid, now = Date.now()): OwnTransaction | null {
  const same = all.filter((one) => isSame(one, order));
  return same.find(isOpen) ?? same.find((one) => isDone(one) && now - Date.parse(one.time) <= SAME_WITHIN_MS) ?? null;
}

export const paymentOf = (order: SendReview): Wanted[] => [(one) => one.account === order.from_address && isSame(one, order)];

/** The steps that this node signs, by what they say: what comes after one that is signed elsewhere is not sent yet. */
function stepsOf({ steps }: RoleReview): Wanted[] {
  const elsewhere = steps.findIndex((step) => step.unsigned);
  return steps.slice(0, elsewhere < 0 ? steps.length : elsewhere).map(({ account, messages }) => {
    const said = JSON.stringify(messages);
    return (one) => one.reason === 'role' && one.account === account && JSON.stringify(one.messages) === said;
  });
}

export class SentWatch {
  /** The same payment of before, while one is looked at. */
  before = $state.raw<OwnTransaction | null>(null);
  /** Those that were asked for and that the node knows. */
  found = $state.raw<OwnTransaction[]>([]);
  following = $state(false);
  private wanted = $state.raw<Wanted[]>([]);
  /** Those of before that are over: what is asked for now is none of them. */
  private over = $state.raw<Set<number> | null>(null);
  private stopped = new AbortController();
  /** The one that ended otherwise than in a block. */
  readonly failed = $derived(this.found.find((one) => !isDone(one) && !isOpen(one)) ?? null);
  readonly end = $derived.by((): SentEnd => {
    if (this.failed) return 'over';
    if (this.found.length === 0) return 'unseen';
    return this.found.length === this.wanted.length && this.found.every(isDone) ? 'done' : 'on_its_way';
  });

  /** Whether the same was made before. Without an answer nothing is said. */
  async compare(order: Paid): Promise<void> {
    const all = await newest().catch(() => null);
    if (all) this.before = madeBefore(all, order);
  }

  /** Whether it was asked for. */
  get marked(): boolean {
    return this.over !== null;
  }

  /** Right before it is asked for. One that is open still is the one that the node goes on with. */
  async mark(): Promise<void> {
    this.over = null;
    const all = await newest();
    this.over = new Set(all.filter((one) => !isOpen(one)).map((one) => one.id));
  }

  /** Looks for them until their end is known, or the sheet is left. */
  async follow(wanted: Wanted[]): Promise<void> {
    this.stop();
    const over = this.over;
    if (!over) return;
    const { signal } = this.stopped;
    this.wanted = wanted;
    this.following = true;
    for (let look = 0; look < LOOKS && !signal.aborted; look += 1) {
      const all = (await newest().catch(() => [])).filter((one) => !over.has(one.id));
      if (signal.aborted) return;
      const found = wanted.flatMap((is) => all.find(is) ?? this.found.find(is) ?? []);
      if (found.length > 0) this.found = found;
      if (this.end === 'done' || this.end === 'over') break;
      await new Promise((resume) => setTimeout(resume, LOOK_EVERY_MS));
    }
    if (!signal.aborted) this.following = false;
  }

  stop(): void {
    this.stopped.abort();
    this.stopped = new AbortController();
    this.found = [];
    this.following = false;
  }
}

/** The node has it and nobody knows its end yet: its review is used up. */
export const isUsedUp = (error: ApiError | null, watch: SentWatch): boolean => watch.found.length > 0 || (isInDoubt(error) && !error?.unreachable);

/** A reviewed change of roles as it is sent, to its end. */
export class RoleSending {
  sent = $state.raw<TransactionList | null>(null);
  readonly action = new Action();
  readonly watch = new SentWatch();
  readonly inDoubt = $derived(isUsedUp(this.action.error, this.watch));

  leave(): void {
    this.sent = this.action.error = null;
    this.watch.stop();
  }

  async send(review: RoleReview, password: string): Promise<void> {
    this.leave();
    const body = { review_id: review.review_id, ...(review.needs_password ? { password } : {}) };
    this.sent = await this.action.run(async () => {
      await this.watch.mark();
      return call('POST /roles/send', { body });
    });
    wallet.loadAll();
    if (!this.sent && isInDoubt(this.action.error)) void this.findOut(review);
  }

  private async findOut(review: RoleReview): Promise<void> {
    await this.watch.follow(stepsOf(review));
    const { found, end } = this.watch;
    if (end !== 'done' && end !== 'over') return;
    this.sent = { transactions: found, total: found.length };
    wallet.loadAll();
  }
}
