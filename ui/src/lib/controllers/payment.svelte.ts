// One payment among the transactions of this node: whether the same was made before, and what became of one whose
// answer did not come.
import type { OwnTransaction, SendReview } from '$lib/api/generated';
import { call } from '$lib/api/request';

type Paid = Pick<SendReview, 'to' | 'amount' | 'memo'>;
type Order = Paid & Pick<SendReview, 'from_address'>;
/** What became of it; `unseen`: the node has not said that it knows it. */
export type PaymentEnd = 'unseen' | 'on_its_way' | 'paid' | 'over';

const NEWEST = 100;
const SAME_WITHIN_MS = 30 * 60_000;
const LOOK_EVERY_MS = 3000;
/** The node itself looks for ten minutes. */
const LOOKS = 200;

export const isPaid = (one: OwnTransaction): boolean => one.state === 'placed' || one.state === 'included';
export const isOpen = (one: OwnTransaction): boolean => one.state === 'waiting' || one.state === 'signed';
const newest = async (): Promise<OwnTransaction[]> => (await call('GET /wallet/transactions', { query: { limit: NEWEST } })).transactions;

export function isSame(one: OwnTransaction, { to, amount, memo }: Paid): boolean {
  return one.reason === 'payment' && one.counterparty === to && one.amount === amount && (one.memo ?? '') === (memo ?? '');
}

/** The newest that is the same and is open, or was made within the last half hour. */
export function madeBefore(all: OwnTransaction[], order: Paid, now = Date.now()): OwnTransaction | null {
  const same = all.filter((one) => isSame(one, order));
  return same.find(isOpen) ?? same.find((one) => isPaid(one) && now - Date.parse(one.time) <= SAME_WITHIN_MS) ?? null;
}

export class PaymentWatch {
  /** The same payment of before, while one is looked at. */
  before = $state.raw<OwnTransaction | null>(null);
  /** The payment that was asked for, once the node knows it. */
  found = $state.raw<OwnTransaction | null>(null);
  following = $state(false);
  readonly end = $derived.by((): PaymentEnd => (!this.found ? 'unseen' : isPaid(this.found) ? 'paid' : isOpen(this.found) ? 'on_its_way' : 'over'));
  /** Those of before that are over: what is asked for now is none of them. */
  private over = $state.raw<Set<number> | null>(null);
  private stopped = new AbortController();

  /** Whether the same was made before. Without an answer nothing is said. */
  async compare(order: Order): Promise<void> {
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

  /** Looks for it until its end is known, or the sheet is left. */
  async follow(order: Order): Promise<void> {
    this.stop();
    const over = this.over;
    if (!over) return;
    const { signal } = this.stopped;
    this.following = true;
    for (let look = 0; look < LOOKS && !signal.aborted; look += 1) {
      const all = await newest().catch(() => []);
      if (signal.aborted) return;
      this.found = all.find((one) => !over.has(one.id) && one.account === order.from_address && isSame(one, order)) ?? this.found;
      if (this.end === 'paid' || this.end === 'over') break;
      await new Promise((resume) => setTimeout(resume, LOOK_EVERY_MS));
    }
    if (!signal.aborted) this.following = false;
  }

  stop(): void {
    this.stopped.abort();
    this.stopped = new AbortController();
    this.found = null;
    this.following = false;
  }
}
