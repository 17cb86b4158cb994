// What is asked about one chat: where it goes, whether it goes for good. Rows of the list and the menu above a chat
// open the same.
import type { ConversationSummary } from '$lib/api/generated';
import { saveFile } from '$lib/api/save';
import { Action } from '$lib/controllers/load.svelte';

export type Chat = Pick<ConversationSummary, 'id' | 'title' | 'pinned' | 'archived' | 'folder'>;

class Dialogs {
  moving = $state.raw<Chat | null>(null);
  doomed = $state.raw<Chat | null>(null);
  readonly action = new Action();

  export(chat: Chat, format: 'md' | 'json'): void {
    const accept = format === 'md' ? 'text/markdown, application/json' : 'application/json';
    void this.action.run(() => saveFile('GET /conversations/{id}/export', { path: { id: chat.id }, query: { format } }, accept, `chat.${format}`));
  }
}

export const dialogs = new Dialogs();
