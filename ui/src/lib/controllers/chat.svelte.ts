// The conversation that is shown, what one does with it, and the answers that are being written into conversations.
import type { Attachment, Conversation, ConversationPatch, ConversationSummary, NewAnswer } from '$lib/api/generated';
import { call, type ApiError } from '$lib/api/request';
import { leafBelow, reduceAnswer, shownBranch, type Shown } from '$lib/state/thread';
import { Answers, type Run } from './answers.svelte';
import { chats } from './chats.svelte';
import { drafts } from './drafts.svelte';
import { find } from './find.svelte';
import { asApiError } from './load.svelte';
import { node } from './node.svelte';
import { ChatOptions } from './options.svelte';
import { router } from './router.svelte';

class Chat {
  /** The conversation that is shown, and those whose answer is followed. */
  private open = $state.raw<Record<string, Conversation>>({});
  error = $state.raw<ApiError | null>(null);
  listOpen = $state(false);
  /** Conversations that were left in mid-answer, with what was known of them then: what is told later says how they are. */
  private away = $state.raw<Record<string, ConversationSummary | 'deleted' | undefined>>({});
  /** Answers that the node does not know any more; they are not followed again, whatever a conversation says. */
  private readonly gone = new Set<string>();
  private readonly answers = new Answers({
    take: (id, answer, event) => this.change(id, (conversation) => reduceAnswer(conversation, answer, event)),
    lost: (id, answer) => {
      this.gone.add(answer);
      void this.catchUp(id);
    },
    left: (id) => (this.away = { ...this.away, [id]: node.state.conversations[id] }),
  });
  readonly options = new ChatOptions({
    current: () => this.current,
    change: (id, how) => this.change(id, how),
    tell: (work) => this.tell(work),
  });

  get id(): string | null {
    return router.page === 'chat' ? router.rest : null;
  }

  /** Under which what is typed is kept. */
  get draftKey(): string {
    return this.id ?? 'new';
  }

  get current(): Conversation | null {
    return this.id ? (this.open[this.id] ?? null) : null;
  }

  get shown(): Shown[] {
    return this.current ? shownBranch(this.current) : [];
  }

  get run(): Run | null {
    return this.id ? (this.answers.runs[this.id] ?? null) : null;
  }

  /** Whether an answer is being written into the shown conversation. */
  get busy(): boolean {
    return this.run !== null;
  }

  /** Whether one is being written into this one, shown or not. */
  isAnswering(one: ConversationSummary): boolean {
    if (one.id === this.id || one.id in this.answers.runs) return one.id in this.answers.runs;
    const isNews = !(one.id in this.away) || this.away[one.id] !== node.state.conversations[one.id];
    return isNews ? Boolean(one.answering) : true;
  }

  async show(id: string): Promise<void> {
    this.error = null;
    this.answers.leaveOthers(id);
    const { [id]: _, ...away } = this.away;
    this.away = away;
    if (this.answers.runs[id]) return;
    try {
      this.keep(await call('GET /conversations/{id}', { path: { id } }));
    } catch (error) {
      if (this.id === id) this.error = asApiError(error);
    }
  }

  /** The node is back: that it was away is no news any more, and what is shown may have ended meanwhile. */
  recover(): void {
    if (this.error?.code !== 'unreachable') return;
    this.error = null;
    if (this.id) void this.show(this.id);
  }

  /** Reads the shown conversation again after somebody else changed it. What is shown stays when that fails. */
  async catchUp(id: string): Promise<void> {
    if (this.id !== id || this.answers.runs[id] || !this.open[id]) return;
    const conversation = await call('GET /conversations/{id}', { path: { id } }).catch(() => null);
    if (conversation && this.id === id && !this.options.isUnsaved(id)) this.keep(conversation);
  }

  /** Takes what was read, and follows the answer that is being written into it. */
  private keep(conversation: Conversation): void {
    const { id, answering } = conversation;
    if (this.answers.runs[id]) return;
    // It was read before the answer ended, whose end is known here by now.
    const known = this.open[id]?.messages.find((one) => one.id === answering);
    if (known && known.state !== 'streaming') return;
    const kept = Object.entries(this.open).filter(([one]) => one in this.answers.runs);
    this.open = { ...Object.fromEntries(kept), [id]: conversation };
    if (answering && this.id === id && !this.gone.has(answering)) void this.answers.follow(id, answering);
  }

  private change(id: string, how: (conversation: Conversation) => Conversation): void {
    const conversation = this.open[id];
    if (conversation) this.open = { ...this.open, [id]: how(conversation) };
  }

  /** Asks in the shown conversation, or begins one. */
  async ask(content: string, model: string, files: Attachment[] = []): Promise<void> {
    this.error = null;
    let id = this.id;
    try {
      if (!id) {
        const conversation = await call('POST /conversations', { body: { model, ...this.options.forNew } });
        this.options.clearNew();
        id = conversation.id;
        this.keep(conversation);
        router.go('chat', id, { keepFocus: true });
      }
    } catch (error) {
      drafts.restore('new', content, files);
      this.error = asApiError(error);
      return;
    }
    const attachments = files.length > 0 ? { attachments: files.map((one) => one.id) } : {};
    const taken = await this.answer(id, { content, model, ...attachments });
    if (!taken) drafts.restore(id, content, files);
  }

  /** The edited question becomes a branch beside the old one, with the same files. */
  async editAndResend(messageId: string, content: string, model: string): Promise<void> {
    const conversation = this.current;
    const message = conversation?.messages.find((one) => one.id === messageId);
    if (!conversation || !message) return;
    const place = message.parent_id ? { parent_id: message.parent_id } : { at_root: true };
    const attachments = message.attachments.length > 0 ? { attachments: message.attachments.map((one) => one.id) } : {};
    const taken = await this.answer(conversation.id, { ...place, content, model, ...attachments });
    if (!taken) drafts.restore(conversation.id, content, []);
  }

  /** Another answer to the same question. */
  async again(answerId: string, model: string): Promise<void> {
    const conversation = this.current;
    const message = conversation?.messages.find((one) => one.id === answerId);
    if (!conversation || !message?.parent_id) return;
    await this.answer(conversation.id, { parent_id: message.parent_id, model });
  }

  /** Whether the node took the question. */
  private async answer(id: string, body: NewAnswer): Promise<boolean> {
    this.answers.leaveOthers(id);
    await this.options.save();
    try {
      await this.answers.ask(id, { at_root: false, ...body });
      return true;
    } catch (error) {
      if (this.id === id) this.error = asApiError(error);
      return false;
    }
  }

  async stop(): Promise<void> {
    const { id } = this;
    if (id) await this.tell(() => this.answers.stop(id));
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

  /** Opens what a search found, at the message that has the words. */
  openHit(one: Pick<ConversationSummary, 'id' | 'hit_id'>, words: string): void {
    if (words.trim() && one.hit_id) find.seek(one.id, one.hit_id, words);
    router.go('chat', one.id);
  }

  /** Brings the branch of a message into view. */
  async reveal(messageId: string): Promise<void> {
    const isThere = this.current?.messages.some((one) => one.id === messageId);
    if (isThere && !this.shown.some((one) => one.message.id === messageId)) await this.branch(messageId);
  }

  /** Title, pin, folder, archive: what the list shows. */
  async alter(id: string, body: Pick<ConversationPatch, 'title' | 'pinned' | 'folder' | 'archived'>): Promise<void> {
    const changed = await call('PATCH /conversations/{id}', { path: { id }, body });
    this.change(id, (one) => ({ ...one, title: changed.title, pinned: changed.pinned, folder: changed.folder, archived: changed.archived }));
    await chats.load();
  }

  async remove(id: string): Promise<void> {
    await call('DELETE /conversations/{id}', { path: { id } });
    this.answers.forget(id);
    if (this.id === id) router.go('chat');
    await chats.load();
  }
}

export const chat = new Chat();
