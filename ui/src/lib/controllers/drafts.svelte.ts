// What is typed and attached and not sent yet, by conversation ("new" for one to come). Kept in this tab alone, for
// when the page is loaded again.
import type { Attachment } from '$lib/api/generated';
import { ApiError, call } from '$lib/api/request';
import { m } from '$lib/paraglide/messages';
import { MOST_FILE_MIB, TOO_LARGE } from '$lib/words/refusals';
import { asApiError } from './load.svelte';
import { toasts } from './toasts.svelte';

const TEXTS = 'hearth.drafts';
const FILES = 'hearth.files';

/** Files of one question: more are nothing that a person meant to send. */
export const MOST_FILES = 20;

/** A file of the composer: being read by the node, read, or refused. */
export type Pending = { key: number; name: string; bytes: number; file: Attachment | null; error: ApiError | null };

class Drafts {
  private texts = $state<Record<string, string>>(kept(TEXTS, (one) => typeof one === 'string'));
  private lists = $state.raw<Record<string, Pending[]>>(keptFiles());
  private next = 1;
  private readonly stops = new Map<number, AbortController>();

  text(key: string): string {
    return this.texts[key] ?? '';
  }

  write(key: string, text: string): void {
    this.texts[key] = text;
    keep(TEXTS, Object.entries(this.texts).filter(([, words]) => words !== ''));
  }

  files(key: string): Pending[] {
    return this.lists[key] ?? [];
  }

  /** Those that the node has read. */
  ready(key: string): Attachment[] {
    return this.files(key).flatMap((one) => one.file ?? []);
  }

  /** Gives files to the node to read, each by itself; how many there was no room for. */
  attach(key: string, files: File[]): number {
    const room = Math.max(MOST_FILES - this.files(key).length, 0);
    for (const file of files.slice(0, room)) void this.read(key, file);
    return Math.max(files.length - room, 0);
  }

  private async read(key: string, file: File): Promise<void> {
    const name = file.name || 'text.txt';
    const pending: Pending = { key: this.next++, name, bytes: file.size, file: null, error: null };
    const stop = new AbortController();
    this.stops.set(pending.key, stop);
    this.set(key, [...this.files(key), pending]);
    try {
      // What is refused for its size need not travel first.
      if (file.size > MOST_FILE_MIB * 2 ** 20) throw new ApiError(413, 'bad_request', TOO_LARGE, null);
      const read = await call('POST /attachments', { query: { name }, body: file, signal: stop.signal });
      this.change(pending.key, { file: read, name: read.name });
    } catch (error) {
      if (!stop.signal.aborted) this.change(pending.key, { error: asApiError(error) });
    } finally {
      this.stops.delete(pending.key);
    }
  }

  /** Takes a file out; the node forgets it. */
  remove(key: string, which: number): void {
    const pending = this.files(key).find((one) => one.key === which);
    this.stops.get(which)?.abort();
    this.set(key, this.files(key).filter((one) => one.key !== which));
    // What stays behind is thrown away by the node after a day.
    if (pending?.file) void call('DELETE /attachments/{id}', { path: { id: pending.file.id } }).catch(() => {});
  }

  /** What is sent now, and is no draft any more. */
  takeAll(key: string): { text: string; files: Attachment[] } {
    const all = { text: this.text(key).trim(), files: this.ready(key) };
    this.write(key, '');
    this.set(key, []);
    return all;
  }

  /** What was sent in vain, so that nothing is lost; what has been typed since stays. */
  restore(key: string, text: string, files: Attachment[]): void {
    if (this.text(key).trim() === '') this.write(key, text);
    const again = files.map((file) => ({ key: this.next++, name: file.name, bytes: file.bytes, file, error: null }));
    this.set(key, [...again, ...this.files(key)]);
  }

  /** A file stays with its key even when the conversation has got another one meanwhile. */
  private change(which: number, what: Partial<Pending>): void {
    for (const [key, list] of Object.entries(this.lists)) {
      const at = list.findIndex((one) => one.key === which);
      const old = list[at];
      if (old) this.set(key, list.with(at, { ...old, ...what }));
    }
  }

  private set(key: string, list: Pending[]): void {
    this.lists = { ...this.lists, [key]: list };
    const ready = Object.entries(this.lists).map(([at, all]) => [at, all.flatMap((one) => one.file ?? [])] as const);
    keep(FILES, ready.filter(([, all]) => all.length > 0));
  }
}

function kept<T>(name: string, fits: (value: unknown) => boolean): Record<string, T> {
  try {
    const read: unknown = JSON.parse(sessionStorage.getItem(name) ?? '{}');
    const all = typeof read === 'object' && read !== null ? Object.entries(read) : [];
    return Object.fromEntries(all.filter(([, value]) => fits(value))) as Record<string, T>;
  } catch {
    return {};
  }
}

const isAttachment = (one: unknown): one is Attachment =>
  typeof one === 'object' && one !== null && typeof (one as Attachment).id === 'string' && typeof (one as Attachment).name === 'string';

function keptFiles(): Record<string, Pending[]> {
  const all = kept<Attachment[]>(FILES, (list) => Array.isArray(list) && list.every(isAttachment));
  let key = -1; // Below those that are made later.
  const pending = (file: Attachment): Pending => ({ key: key--, name: file.name, bytes: file.bytes, file, error: null });
  return Object.fromEntries(Object.entries(all).map(([at, list]) => [at, list.map(pending)]));
}

function keep(name: string, entries: (readonly [string, unknown])[]): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(Object.fromEntries(entries)));
  } catch {
    // It is still here as long as the page is.
  }
}

export const drafts = new Drafts();

/** Attaches what was chosen, dropped or pasted, and says what was left out. */
export function attach(key: string, files: File[]): void {
  const left = drafts.attach(key, files);
  if (left > 0) toasts.add(m.files_too_many({ most: MOST_FILES }), undefined, 'warn');
}
