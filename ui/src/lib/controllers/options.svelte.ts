// How the answers of one chat are made: its own parameters and instructions. Those of a chat to come are kept here
// until its first question makes it.
import type { AnswerParams, Conversation, Preset } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { given } from '$lib/state/presets';

const SAVE_AFTER_MS = 400;

export type Options = { params: AnswerParams; system_prompt: string };
type Change = Partial<Options>;

/** Who keeps the conversations. */
type Keeper = {
  current: () => Conversation | null;
  change: (id: string, how: (conversation: Conversation) => Conversation) => void;
  tell: (work: () => Promise<unknown>) => Promise<void>;
};

export class ChatOptions {
  private fresh = $state.raw<Options>({ params: {}, system_prompt: '' });
  private readonly unsaved = new Map<string, Change>();
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly keeper: Keeper) {}

  get all(): Options {
    const conversation = this.keeper.current();
    return conversation ? { params: given(conversation.params), system_prompt: conversation.system_prompt ?? '' } : this.fresh;
  }

  /** Shown at once, and told to the node a moment after the last change. */
  set(change: Change): void {
    const conversation = this.keeper.current();
    if (!conversation) {
      this.fresh = { ...this.fresh, ...change };
      return;
    }
    const { id } = conversation;
    this.keeper.change(id, (one) => ({ ...one, ...change }));
    this.unsaved.set(id, { ...this.unsaved.get(id), ...change });
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.save(), SAVE_AFTER_MS);
  }

  /** A copy: the preset may change later and this chat does not. */
  take(preset: Preset): void {
    this.set({ params: given(preset.params), system_prompt: preset.system_prompt ?? '' });
  }

  /** Before a question: it is answered as the page says that it is. */
  async save(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    for (const [id, body] of [...this.unsaved]) {
      await this.keeper.tell(() => call('PATCH /conversations/{id}', { path: { id }, body }));
      // Until the node has it, what is read of the chat meanwhile is older; what was changed since waits for its turn.
      if (this.unsaved.get(id) === body) this.unsaved.delete(id);
    }
  }

  /** Whether something of this chat is not told to the node yet. */
  isUnsaved(id: string): boolean {
    return this.unsaved.has(id);
  }

  /** For the conversation that is made now; they are kept until it is. */
  get forNew(): { params?: AnswerParams; system_prompt?: string } {
    const { params, system_prompt } = this.fresh;
    return { ...(Object.keys(params).length > 0 ? { params } : {}), ...(system_prompt.trim() ? { system_prompt } : {}) };
  }

  clearNew(): void {
    this.fresh = { params: {}, system_prompt: '' };
  }
}
