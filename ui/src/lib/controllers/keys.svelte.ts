// Keyboard: one table of what each key does, handlers that pages set while they are there. A key without a handler
// does nothing and is not listed.
import { untrack } from 'svelte';
import { router, type Page } from './router.svelte';

export type Command =
  | 'find'
  | 'help'
  | 'new-chat'
  | 'choose-model'
  | 'toggle-earning'
  | 'lock-wallet'
  | 'chat-list'
  | 'find-in-chat'
  | 'copy-answer'
  | 'previous-branch'
  | 'next-branch'
  | 'next-region'
  | 'previous-region';

const apple = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** `code` so that the layout of the keyboard and what Alt types do not matter. */
export const bindings: Record<Command, { shown: string[]; ctrl?: boolean; alt?: boolean; shift?: boolean; code?: string; key?: string }> = {
  find: { shown: [apple ? '⌘' : 'Ctrl', 'K'], ctrl: true, code: 'KeyK' },
  help: { shown: ['?'], key: '?' },
  'new-chat': { shown: [apple ? 'Ctrl' : 'Alt', 'N'], alt: true, code: 'KeyN' },
  'choose-model': { shown: [apple ? 'Ctrl' : 'Alt', 'M'], alt: true, code: 'KeyM' },
  'toggle-earning': { shown: [apple ? 'Ctrl' : 'Alt', 'S'], alt: true, code: 'KeyS' },
  'lock-wallet': { shown: [apple ? 'Ctrl' : 'Alt', 'L'], alt: true, code: 'KeyL' },
  'chat-list': { shown: [apple ? '⌘' : 'Ctrl', 'B'], ctrl: true, code: 'KeyB' },
  'find-in-chat': { shown: [apple ? '⌘' : 'Ctrl', 'F'], ctrl: true, shift: false, code: 'KeyF' },
  'copy-answer': { shown: [apple ? 'Ctrl' : 'Alt', 'C'], alt: true, code: 'KeyC' },
  'previous-branch': { shown: [apple ? 'Ctrl' : 'Alt', ','], alt: true, code: 'Comma' },
  'next-branch': { shown: [apple ? 'Ctrl' : 'Alt', '.'], alt: true, code: 'Period' },
  'next-region': { shown: ['F6'], key: 'F6', shift: false },
  'previous-region': { shown: ['Shift', 'F6'], key: 'F6', shift: true },
};

const letters: Record<string, Page> = {
  c: 'chat',
  e: 'earn',
  m: 'models',
  w: 'wallet',
  n: 'network',
  s: 'settings',
  u: 'usage',
};

const G_WAIT_MS = 1200;

/** What gives `false` leaves the key to the browser. */
type Handler = () => unknown;

class Keys {
  private handlers = $state.raw<Partial<Record<Command, Handler>>>({});
  private gAt = 0;

  /** Sets a handler; the returned function takes it away again. */
  on(command: Command, handler: Handler): () => void {
    // Effects call this: reading what is written here would run them for ever.
    this.handlers = { ...untrack(() => this.handlers), [command]: handler };
    return () => {
      const handlers = untrack(() => this.handlers);
      if (handlers[command] !== handler) return;
      const { [command]: _, ...rest } = handlers;
      this.handlers = rest;
    };
  }

  has(command: Command): boolean {
    return command in this.handlers;
  }

  run(command: Command): void {
    this.handlers[command]?.();
  }

  handle(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const inField = isField(event.target);
    for (const [command, binding] of Object.entries(bindings) as [Command, (typeof bindings)[Command]][]) {
      if (!matches(event, binding)) continue;
      const bare = !binding.ctrl && !binding.alt && binding.key !== 'F6';
      if ((bare && inField) || !this.has(command)) continue;
      if (this.handlers[command]?.() !== false) event.preventDefault();
      return;
    }
    if (!inField && !event.ctrlKey && !event.altKey && !event.metaKey) this.letter(event);
  }

  private letter(event: KeyboardEvent): void {
    const now = Date.now();
    const page = letters[event.key];
    if (page && now - this.gAt < G_WAIT_MS) {
      event.preventDefault();
      this.gAt = 0;
      router.go(page);
    } else {
      this.gAt = event.key === 'g' ? now : 0;
    }
  }
}

function matches(event: KeyboardEvent, binding: (typeof bindings)[Command]): boolean {
  const ctrl = apple ? event.metaKey : event.ctrlKey;
  const alt = apple ? event.ctrlKey : event.altKey;
  if (Boolean(binding.ctrl) !== ctrl || Boolean(binding.alt) !== alt) return false;
  if (binding.shift !== undefined && binding.shift !== event.shiftKey) return false;
  return binding.code ? event.code === binding.code : event.key === binding.key;
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

export const keys = new Keys();
