// The answers that are being written. The node writes them whether somebody reads or not: a stream is followed while
// its conversation is shown, closed when it is left, and followed again when it breaks off.
import type { AnswerEvent, NewAnswer } from '$lib/api/generated';
import { ApiError, call } from '$lib/api/request';
import { stream } from '$lib/api/stream';
import { FrameBatch } from '$lib/state/frames';

export type Run = { conversation: string; answer: string | null; startedAt: number; firstAt: number | null; pieces: number };

/** Who keeps the conversations. */
export type Keeper = {
  take: (id: string, answer: string | null, event: AnswerEvent) => void;
  /** Nothing more comes of an answer although its end was not seen. */
  lost: (id: string, answer: string) => void;
  /** Its stream is closed while the answer is written on. */
  left: (id: string) => void;
};

export const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const GONE = [401, 403, 404, 409, 410];

export class Answers {
  /** By conversation. */
  runs = $state.raw<Record<string, Run>>({});
  private readonly streams = new Map<string, AbortController>();
  /** Left before the node said which answer it is: closed as soon as it does. */
  private readonly left = new Set<string>();
  /** To be stopped as soon as the node says which answer it is. */
  private readonly unwanted = new Set<string>();

  constructor(private readonly keeper: Keeper) {}

  /** Asks and follows the answer. Throws when the node took nothing. */
  async ask(id: string, body: NewAnswer): Promise<void> {
    const stop = this.begin(id, null);
    if (!stop) return;
    try {
      await this.read(id, stop, (take) => stream('POST /conversations/{id}/answers', { path: { id }, body, signal: stop.signal }, take));
    } catch (error) {
      if (this.streams.get(id) !== stop) return;
      if (!this.runs[id]?.answer) {
        this.end(id);
        throw error;
      }
    }
    await this.goOn(id, stop, FIRST_WAIT_MS);
  }

  /** Follows an answer that somebody asked for: another page, or this one before it was loaded again. */
  async follow(id: string, answer: string): Promise<void> {
    this.left.delete(id);
    const stop = this.begin(id, answer);
    if (stop) await this.goOn(id, stop, 0);
  }

  /** Closes the streams of all other conversations; their answers are written on. */
  leaveOthers(id: string | null): void {
    if (id) this.left.delete(id);
    for (const run of Object.values(this.runs)) {
      if (run.conversation === id) continue;
      if (run.answer) this.leave(run.conversation);
      else this.left.add(run.conversation);
    }
  }

  private leave(id: string): void {
    this.end(id);
    this.keeper.left(id);
  }

  /** The end comes through the stream, with what was kept. */
  async stop(id: string): Promise<void> {
    const run = this.runs[id];
    if (!run) return;
    if (run.answer) await call('DELETE /conversations/{id}/answers/{answer_id}', { path: { id, answer_id: run.answer } });
    else this.unwanted.add(id);
  }

  /** Of a conversation that is gone. */
  forget(id: string): void {
    if (this.runs[id]) this.end(id);
  }

  private begin(id: string, answer: string | null): AbortController | null {
    if (this.runs[id]) return null;
    const stop = new AbortController();
    this.streams.set(id, stop);
    this.runs = { ...this.runs, [id]: { conversation: id, answer, startedAt: Date.now(), firstAt: null, pieces: 0 } };
    return stop;
  }

  private end(id: string): void {
    this.streams.get(id)?.abort();
    this.streams.delete(id);
    this.left.delete(id);
    this.unwanted.delete(id);
    const { [id]: _, ...rest } = this.runs;
    this.runs = rest;
  }

  /** Follows until the answer has ended, with a growing pause after each time that the stream broke off. */
  private async goOn(id: string, stop: AbortController, firstWait: number): Promise<void> {
    let wait = firstWait;
    while (this.streams.get(id) === stop) {
      await new Promise((resume) => setTimeout(resume, wait));
      const answer_id = this.runs[id]?.answer;
      if (this.streams.get(id) !== stop || !answer_id) return;
      wait = Math.min(Math.max(wait * 2, FIRST_WAIT_MS), LONGEST_WAIT_MS);
      try {
        const path = { id, answer_id };
        await this.read(id, stop, (take) =>
          stream('GET /conversations/{id}/answers/{answer_id}', { path, signal: stop.signal }, (event) => {
            if (event.type === 'delta') wait = FIRST_WAIT_MS;
            take(event);
          }),
        );
      } catch (error) {
        if (this.streams.get(id) !== stop) return;
        if (!(error instanceof ApiError) || !GONE.includes(error.status)) continue;
        this.end(id);
        this.keeper.lost(id, answer_id);
      }
    }
  }

  private async read(id: string, stop: AbortController, from: (take: (event: AnswerEvent) => void) => Promise<void>): Promise<void> {
    const batch = new FrameBatch<AnswerEvent>(
      (events) => this.streams.get(id) === stop && this.take(id, events),
      (event) => event.type === 'delta',
    );
    try {
      await from((event) => batch.push(event));
    } finally {
      batch.flush();
    }
  }

  private take(id: string, events: AnswerEvent[]): void {
    let run = this.runs[id];
    if (!run) return;
    for (const event of joined(events)) {
      if (event.type === 'started') run = { ...run, answer: event.answer.id };
      this.keeper.take(id, run.answer, event);
    }
    const deltas = events.filter((event) => event.type === 'delta').length;
    if (deltas > 0) run = { ...run, firstAt: run.firstAt ?? Date.now(), pieces: run.pieces + deltas };
    this.runs = { ...this.runs, [id]: run };
    // Whether it could be stopped is seen by what comes of it.
    if (run.answer && this.unwanted.delete(id)) void this.stop(id).catch(() => {});
    const ended = events.some((event) => event.type === 'finished' || event.type === 'failed');
    if (ended) this.end(id);
    else if (run.answer && this.left.has(id)) this.leave(id);
  }
}

/** Deltas of one frame as one. */
function joined(events: AnswerEvent[]): AnswerEvent[] {
  const out: AnswerEvent[] = [];
  for (const event of events) {
    const last = out.at(-1);
    if (event.type === 'delta' && last?.type === 'delta') out[out.length - 1] = { type: 'delta', text: last.text + event.text };
    else out.push(event);
  }
  return out;
}
