// Collects what comes fast for a frame of at least 50 ms: faster than that nobody reads.
const FRAME_MS = 50;

export class FrameBatch<T> {
  private waiting: T[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;

  /** What `mayWait` says no to is given on at once, with all that waits before it. */
  constructor(
    private readonly take: (all: T[]) => void,
    private readonly mayWait: (one: T) => boolean,
  ) {}

  push(one: T): void {
    this.waiting.push(one);
    if (this.mayWait(one)) this.timer ??= setTimeout(() => this.flush(), FRAME_MS);
    else this.flush();
  }

  flush(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const all = this.waiting;
    this.waiting = [];
    if (all.length > 0) this.take(all);
  }
}
