// Conversations and the answers that are being written into them. An answer goes on while one looks at other pages.
import type { AnswerEvent, AnswerParams, Conversation, ConversationSummary, Message, NewAnswer } from '$lib/api/generated';
import type { ApiError } from '$lib/api/request';
import { call } from '$lib/api/request';
import { stream } from '$lib/api/stream';
import { leafBelow, reduceAnswer, shownBranch, type Shown } from '$lib/state/thread';
import { mergeConversations } from '$lib/state/node';
import { asApiError, Loaded } from './load.svelte';
import { node } from './node.svelte';
import { router } from './router.svelte';

export type Run = { conversation: string; answer: string | null; startedAt: number; firstAt: number | null; pieces: number };

const STOP_GRACE_MS = 1500;
const CHATS_A_PAGE = 100;
const DRAFTS = 'hearth.drafts';

class Chat {
  query = $state('');
  /** How many pages of the list are wanted, and whether there are more. */
  pages = $state(1);
  hasMore = $state(false);
  readonly read = new Loaded(() => this.readPages());
  /** The conversation that is shown, and those with an answer on its way. */
  private open = $state.raw<Record<string, Conversation>>({});
  runs = $state.raw<Record<string, Run>>({});
  error = $state.raw<ApiError | null>(null);
  /** What was asked in vain, so that nothing typed is lost. */
  unsent = $state<string | null>(null);
  drafts = $state<Record<string, string>>(keptDrafts());
  /** How to answer; empty is the model's own way. */
  params = $state<AnswerParams>({});
  listOpen = $state(false);
  private readonly stops = new Map<string, AbortController>();

  get list() {
    const read = this.read.value;
    if (read === null) return null;
    return this.query ? mergeHits(read) : mergeConversations(read, node.state.conversations);
  }

  private async readPages() {
    const { query, pages } = this;
    const all: ConversationSummary[] = [];
    let full = true;
    for (let page = 0; page < pages && full; page += 1) {
      const asked = { q: query, limit: CHATS_A_PAGE, offset: page * CHATS_A_PAGE };
      const { conversations } = await call('GET /conversations', { query: asked });
      all.push(...conversations);
      full = conversations.length === CHATS_A_PAGE;
    }
    this.hasMore = full;
    // A chat that moved up while the pages were read stands on two of them.
    return [...new Map(all.map((one) => [one.id, one])).values()];
  }

  search(words: string): void {
    this.query = words;
    this.pages = 1;
  }

  async more(): Promise<void> {
    this.pages += 1;
    await this.read.load();
  }

  /** Keeps what was typed and not sent, in this tab alone, for when the page is loaded again. */
  draft(key: string, text: string): void {
    this.drafts[key] = text;
    try {
      const typed = Object.entries(this.drafts).filter(([, words]) => words !== '');
      sessionStorage.setItem(DRAFTS, JSON.stringify(Object.fromEntries(typed)));
    } catch {
      // It is still here as long as the page is.
    }
  }

  get id(): string | null {
    return router.page === 'chat' ? router.rest : null;
  }

  get current(): Conversation | null {
    return this.id ? (this.open[this.id] ?? null) : null;
  }

  get shown(): Shown[] {
    return this.current ? shownBranch(this.current) : [];
  }

  get run(): Run | null {
    return this.id ? (this.runs[this.id] ?? null) : null;
  }

  /** The answer that somebody else has asked for: another page, or this one before it was loaded again. */
  get elsewhere(): Message | null {
    return this.run ? null : (this.shown.findLast((one) => one.message.state === 'streaming')?.message ?? null);
  }

  /** Whether an answer is being written into the shown conversation. */
  get busy(): boolean {
    return this.run !== null || this.elsewhere !== null;
  }

  async show(id: string): Promise<void> {
    this.error = null;
    if (this.runs[id]) return;
    try {
      const conversation = await call('GET /conversations/{id}', { path: { id } });
      if (!this.runs[id]) this.keep(conversation);
    } catch (error) {
      if (this.id === id) this.error = asApiError(error);
    }
  }

  /** Reads the shown conversation again after somebody else changed it. What is shown stays when that fails. */
  async catchUp(id: string): Promise<void> {
    if (this.id !== id || this.runs[id] || !this.open[id]) return;
    const conversation = await call('GET /conversations/{id}', { path: { id } }).catch(() => null);
    if (conversation && this.id === id && !this.runs[id]) this.keep(conversation);
  }

  private keep(conversation: Conversation): void {
    const kept = Object.entries(this.open).filter(([id]) => id in this.runs);
    this.open = { ...Object.fromEntries(kept), [conversation.id]: conversation };
  }

  private change(id: string, how: (conversation: Conversation) => Conversation): void {
    const conversation = this.open[id];
    if (conversation) this.open = { ...this.open, [id]: how(conversation) };
  }

  /** Asks in the shown conversation, or begins one. */
  async ask(content: string, model: string): Promise<void> {
    this.error = null;
    let id = this.id;
    try {
      if (!id) {
        const conversation = await call('POST /conversations', { body: { model } });
        id = conversation.id;
        this.keep(conversation);
        router.go('chat', id, { keepFocus: true });
      }
    } catch (error) {
      this.unsent = content;
      this.error = asApiError(error);
      return;
    }
    await this.answer(id, { content, model });
  }

  /** The edited question becomes a branch beside the old one. */
  async editAndResend(messageId: string, content: string, model: string): Promise<void> {
    const conversation = this.current;
    const message = conversation?.messages.find((one) => one.id === messageId);
    if (!conversation || !message) return;
    const parent = message.parent_id ?? null;
    await this.answer(conversation.id, parent ? { parent_id: parent, content, model } : { at_root: true, content, model });
  }

  /** Another answer to the same question. */
  async again(answerId: string, model: string): Promise<void> {
    const conversation = this.current;
    const message = conversation?.messages.find((one) => one.id === answerId);
    if (!conversation || !message?.parent_id) return;
    await this.answer(conversation.id, { parent_id: message.parent_id, model });
  }

  private async answer(id: string, body: Omit<NewAnswer, 'at_root'> & { at_root?: boolean }): Promise<void> {
    if (this.runs[id]) return;
    const stop = new AbortController();
    this.stops.set(id, stop);
    this.runs = { ...this.runs, [id]: { conversation: id, answer: null, startedAt: Date.now(), firstAt: null, pieces: 0 } };
    const batch = new FrameBatch((events) => this.take(id, events));
    try {
      const params = Object.keys(this.params).length > 0 ? { params: $state.snapshot(this.params) } : {};
      const whole: NewAnswer = { at_root: false, ...body, ...params };
      await stream('POST /conversations/{id}/answers', { path: { id }, body: whole, signal: stop.signal }, (event) =>
        batch.push(event),
      );
    } catch (error) {
      if (!stop.signal.aborted) {
        this.error = asApiError(error);
        if (body.content && this.runs[id]?.answer === null) this.unsent = body.content;
      }
    } finally {
      batch.flush();
      this.end(id);
    }
  }

  private take(id: string, events: AnswerEvent[]): void {
    let run = this.runs[id];
    if (!run) return;
    let deltas = 0;
    for (const event of joined(events)) {
      if (event.type === 'started') run = { ...run, answer: event.answer.id };
      this.change(id, (conversation) => reduceAnswer(conversation, run?.answer ?? null, event));
    }
    for (const event of events) if (event.type === 'delta') deltas += 1;
    if (deltas > 0) run = { ...run, firstAt: run.firstAt ?? Date.now(), pieces: run.pieces + deltas };
    this.runs = { ...this.runs, [id]: run };
  }

  private end(id: string): void {
    const answer = this.runs[id]?.answer;
    this.stops.delete(id);
    const { [id]: _, ...rest } = this.runs;
    this.runs = rest;
    // A stream that broke off leaves a message that nobody writes any more; the node knows how it ended.
    const message = this.open[id]?.messages.find((one) => one.id === answer);
    if (message?.state === 'streaming') void this.show(id);
  }

  async stop(): Promise<void> {
    const run = this.run;
    if (!run) return this.stopElsewhere();
    const stop = this.stops.get(run.conversation);
    if (run.answer) {
      const path = { id: run.conversation, answer_id: run.answer };
      await call('DELETE /conversations/{id}/answers/{answer_id}', { path }).catch(() => stop?.abort());
    }
    // The stream ends by itself with what was kept; if it does not, closing it stops the answer, too.
    setTimeout(() => stop?.abort(), STOP_GRACE_MS);
  }

  private async stopElsewhere(): Promise<void> {
    const [id, answer] = [this.id, this.elsewhere];
    if (!id || !answer) return;
    await this.tell(() => call('DELETE /conversations/{id}/answers/{answer_id}', { path: { id, answer_id: answer.id } }));
    await this.catchUp(id);
  }

  /** A change that is shown at once and told to the node after; if the node refuses, the page says so. */
  private async tell(work: () => Promise<unknown>): Promise<void> {
    this.error = null;
    try {
      await work();
    } catch (error) {
      this.error = asApiError(error);
    }
  }

  async branch(siblingId: string): Promise<void> {
    const conversation = this.current;
    if (!conversation || this.busy) return;
    const head_id = leafBelow(conversation.messages, siblingId);
    this.change(conversation.id, (one) => ({ ...one, head_id }));
    await this.tell(() => call('PATCH /conversations/{id}', { path: { id: conversation.id }, body: { head_id } }));
  }

  /** Another model from now on; what it said so far stays. */
  async useModel(id: string, model: string): Promise<void> {
    this.change(id, (one) => ({ ...one, model }));
    await this.tell(() => call('PATCH /conversations/{id}', { path: { id }, body: { model } }));
  }

  async rename(id: string, title: string): Promise<void> {
    await call('PATCH /conversations/{id}', { path: { id }, body: { title } });
    this.change(id, (one) => ({ ...one, title }));
    await this.read.load();
  }

  async pin(id: string, pinned: boolean): Promise<void> {
    await call('PATCH /conversations/{id}', { path: { id }, body: { pinned } });
    await this.read.load();
  }

  async remove(id: string): Promise<void> {
    await call('DELETE /conversations/{id}', { path: { id } });
    this.stops.get(id)?.abort();
    if (this.id === id) router.go('chat');
    await this.read.load();
  }
}

function keptDrafts(): Record<string, string> {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(DRAFTS) ?? '{}');
    const all = typeof kept === 'object' && kept !== null ? Object.entries(kept) : [];
    return Object.fromEntries(all.filter((one): one is [string, string] => typeof one[1] === 'string'));
  } catch {
    return {};
  }
}

function mergeHits(read: NonNullable<Chat['read']['value']>): typeof read {
  return read.filter((one) => node.state.conversations[one.id] !== 'deleted');
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

const FRAME_MS = 50;

/** Collects events for a frame, at least 50 ms: faster than that nobody reads. */
class FrameBatch {
  private waiting: AnswerEvent[] = [];
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly take: (events: AnswerEvent[]) => void) {}

  push(event: AnswerEvent): void {
    this.waiting.push(event);
    if (event.type !== 'delta') this.flush();
    else this.timer ??= setTimeout(() => this.flush(), FRAME_MS);
  }

  flush(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const events = this.waiting;
    this.waiting = [];
    if (events.length > 0) this.take(events);
  }
}

export const chat = new Chat();
