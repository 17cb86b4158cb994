// The list of chats: searched, archived ones or the others, and the folders with what lies in them.
import type { ConversationSummary, Folder } from '$lib/api/generated';
import { call, type ApiError } from '$lib/api/request';
import { mergeConversations, mergeHits } from '$lib/state/chats';
import { Loaded, MOST_ROWS } from './load.svelte';
import { node } from './node.svelte';

const CHATS_A_PAGE = 100;
const OPEN_FOLDERS = 'hearth.folders';

class Chats {
  query = $state('');
  view = $state<'active' | 'archived'>('active');
  /** How many pages of the list are wanted, and whether there are more. */
  private pages = $state(1);
  hasMore = $state(false);
  private allFolders = $state.raw<Folder[]>([]);
  readonly read = new Loaded(() => this.readPages());
  /** Folders that are open, with what was read of them. */
  private opened = $state<string[]>(keptFolders());
  private contents = $state.raw<Record<string, Loaded<ConversationSummary[]>>>({});

  /** What the list shows outside of folders; `null` until it was read. */
  get list(): ConversationSummary[] | null {
    const read = this.read.value;
    if (read === null) return null;
    if (this.query) return mergeHits(read, node.state.conversations);
    const isArchived = this.view === 'archived';
    return mergeConversations(read, node.state.conversations, (one) => one.archived === isArchived && (isArchived || !one.folder));
  }

  /** Folders by name, those that came up since they were read included. */
  get folders(): Folder[] {
    const known = new Set(this.allFolders.map((one) => one.name));
    const fresh = new Map<string, number>();
    for (const one of Object.values(node.state.conversations)) {
      if (one !== 'deleted' && one.folder && !one.archived && !known.has(one.folder)) fresh.set(one.folder, (fresh.get(one.folder) ?? 0) + 1);
    }
    return [...this.allFolders, ...[...fresh].map(([name, conversations]) => ({ name, conversations }))].sort((a, b) => a.name.localeCompare(b.name));
  }

  private async readPages(): Promise<ConversationSummary[]> {
    const { query, pages, view } = this;
    const all: ConversationSummary[] = [];
    let full = true;
    for (let page = 0; page < pages && full; page += 1) {
      const asked = { q: query, limit: CHATS_A_PAGE, offset: page * CHATS_A_PAGE, ...(view === 'archived' && !query ? { archived: 'true' } : {}) };
      const { conversations, folders } = await call('GET /conversations', { query: asked });
      all.push(...conversations);
      this.allFolders = folders;
      full = conversations.length === CHATS_A_PAGE;
    }
    this.hasMore = full;
    // A chat that moved up while the pages were read stands on two of them.
    return [...new Map(all.map((one) => [one.id, one])).values()];
  }

  /** Everything that is shown, again. */
  async load(): Promise<void> {
    await Promise.all([this.read.load(), ...this.opened.map((name) => this.loadFolder(name))]);
    const names = new Set(this.folders.map((one) => one.name));
    if (this.read.error === null && this.opened.some((name) => !names.has(name))) this.keepOpened(this.opened.filter((name) => names.has(name)));
  }

  search(words: string): void {
    this.query = words;
    this.pages = 1;
  }

  show(view: 'active' | 'archived'): void {
    this.view = view;
    this.pages = 1;
    this.read.value = null;
    void this.load();
  }

  async more(): Promise<void> {
    this.pages += 1;
    await this.read.load();
  }

  isOpen(folder: string): boolean {
    return this.opened.includes(folder);
  }

  toggle(folder: string): void {
    const isOpen = this.isOpen(folder);
    this.keepOpened(isOpen ? this.opened.filter((one) => one !== folder) : [...this.opened, folder]);
    if (!isOpen) void this.loadFolder(folder);
  }

  /** What lies in an open folder; `null` until it was read. */
  inFolder(folder: string): ConversationSummary[] | null {
    const read = this.contents[folder]?.value ?? null;
    return read && mergeConversations(read, node.state.conversations, (one) => one.folder === folder && !one.archived);
  }

  folderError(folder: string): ApiError | null {
    return this.contents[folder]?.error ?? null;
  }

  loadFolder(folder: string): Promise<void> {
    const content = this.contents[folder] ?? new Loaded(async () => (await call('GET /conversations', { query: { folder, limit: MOST_ROWS } })).conversations);
    this.contents = { ...this.contents, [folder]: content };
    return content.load();
  }

  /** An empty name takes all chats out. */
  async renameFolder(from: string, to: string): Promise<void> {
    if (from === to) return;
    await call('POST /folders/rename', { body: { from, to } });
    const rest = this.opened.filter((one) => one !== from && one !== to);
    this.keepOpened(to && this.isOpen(from) ? [...rest, to] : rest);
    await this.load();
  }

  private keepOpened(names: string[]): void {
    this.opened = names;
    try {
      localStorage.setItem(OPEN_FOLDERS, JSON.stringify(names));
    } catch {
      // They stay open as long as the page is.
    }
  }
}

function keptFolders(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(OPEN_FOLDERS) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export const chats = new Chats();
