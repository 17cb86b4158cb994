// Pages by path. Focus goes to the heading of a new page, so that a screen reader says where one is.
import { tick } from 'svelte';

export const pages = ['chat', 'earn', 'models', 'wallet', 'network', 'settings', 'usage', 'setup'] as const;
export type Page = (typeof pages)[number];

/** What follows the wallet's page where the form of a stake to earn is opened at once. */
export const STAKE_PATH = 'stake';

const HEADING_TRIES = 60;
const HEADING_WAIT_MS = 25;

class Router {
  /** Whether nobody asked for a page: the address was the node's own. */
  readonly isAtDoor = location.pathname === '/';
  page = $state<Page>('chat');
  /** What follows the page: a conversation, a session, a section. */
  rest = $state<string | null>(null);

  constructor() {
    this.read();
    window.addEventListener('popstate', () => {
      this.read();
      void this.focusHeading();
    });
  }

  private read(): void {
    const [page, rest] = location.pathname.split('/').filter(Boolean);
    this.page = (pages as readonly string[]).includes(page ?? '') ? (page as Page) : 'chat';
    this.rest = rest ? decodeURIComponent(rest) : null;
  }

  go(page: Page, rest: string | null = null, options: { replace?: boolean; keepFocus?: boolean } = {}): void {
    const path = pathOf(page, rest);
    if (path !== location.pathname) {
      if (options.replace) history.replaceState(null, '', path);
      else history.pushState(null, '', path);
    }
    const changed = page !== this.page;
    this.page = page;
    this.rest = rest;
    if (changed && !options.keepFocus) void this.focusHeading();
  }

  /** Pages come as chunks of their own, so the new heading may take a moment. */
  private async focusHeading(): Promise<void> {
    const before = document.querySelector('main h1');
    for (let wait = 0; wait < HEADING_TRIES; wait += 1) {
      await tick();
      const heading = document.querySelector<HTMLElement>('main h1');
      if (heading && heading !== before) {
        heading.focus({ preventScroll: true });
        document.querySelector('main')?.scrollTo(0, 0);
        return;
      }
      await new Promise((resume) => setTimeout(resume, HEADING_WAIT_MS));
    }
  }
}

export const pathOf = (page: Page, rest: string | null = null): string =>
  rest ? `/${page}/${encodeURIComponent(rest)}` : `/${page}`;

export const router = new Router();

/** A plain click stays in the page, every other click is the browser's. */
export const isPlain = (event: MouseEvent): boolean => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

/** For links. */
export function follow(event: MouseEvent, page: Page, rest: string | null = null): void {
  if (!isPlain(event)) return;
  event.preventDefault();
  router.go(page, rest);
}
