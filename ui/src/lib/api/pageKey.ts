// What shows the node that a call comes from its own page. The cookie of a sign-in goes to every port of its host, so
// another program on this computer can come by it; the browser gives this to pages of our address and port alone.
const KEY = 'hearth.page-key';

/** For browsers that keep nothing. */
let unkept: string | null = null;

export function pageKey(): string | null {
  try {
    return localStorage.getItem(KEY) ?? unkept;
  } catch {
    return unkept;
  }
}

export function keepPageKey(key: string): void {
  unkept = null;
  try {
    localStorage.setItem(KEY, key);
  } catch {
    unkept = key;
  }
}

export function forgetPageKey(): void {
  unkept = null;
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

/** Calls `handler` whenever another tab has signed in. */
export function whenSignedInElsewhere(handler: () => void): void {
  addEventListener('storage', ({ key, newValue }) => {
    if (key === KEY && newValue !== null) handler();
  });
}
