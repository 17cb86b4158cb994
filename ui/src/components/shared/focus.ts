// Where the focus goes when a sheet or dialog opens, and where it goes back to when it closes.

const GONE_MS = 50; // until what was open is gone from the page, and a page that it led to has the focus
const FIELDS = 'input:not([type="hidden"]), textarea, select';

/** What had the focus last outside of menus: the button of a menu, while an entry of it is chosen. */
let lastOutside: HTMLElement | null = null;
if (typeof document !== 'undefined') {
  document.addEventListener('focusin', ({ target }) => {
    if (target instanceof HTMLElement && !target.closest('[role="menu"]')) lastOutside = target;
  });
}

function opener(): HTMLElement | null {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement)) return null;
  return active === document.body || active.closest('[role="menu"]') ? lastOutside : active;
}

/** The first field that can be filled in, else the dialog itself, so that its title is read first. */
export function focusInside(dialog: HTMLElement | null): void {
  if (!dialog) return;
  const fields = [...dialog.querySelectorAll<HTMLElement>(FIELDS)].filter((one) => !one.matches(':disabled') && one.getClientRects().length > 0);
  // On a touch screen a field would bring up the keyboard over half the sheet before anything is read.
  const first = matchMedia('(hover: hover)').matches ? fields[0] : undefined;
  (first ?? dialog).focus({ preventScroll: true });
}

/** Back to what opened it; if that is gone (what was deleted), to the heading of the page. */
function focusBack(from: HTMLElement | null): void {
  const usable = from?.isConnected && from.getClientRects().length > 0 && !from.matches(':disabled');
  const place = usable ? from : document.querySelector<HTMLElement>('.sheet, main h1');
  place?.focus({ preventScroll: true });
}

/** Remembers what opened something and gives the focus back to it, unless a page that came meanwhile has taken it. */
export class Opener {
  private from: HTMLElement | null = null;
  private isOpen = false;

  /** To be called before what is opened is drawn, whenever `open` changes. */
  follow(open: boolean): void {
    if (open === this.isOpen) return;
    this.isOpen = open;
    if (open) {
      this.from = opener();
      return;
    }
    const from = this.from;
    setTimeout(() => {
      if (document.activeElement === document.body || document.activeElement === null) focusBack(from);
    }, GONE_MS);
  }
}
