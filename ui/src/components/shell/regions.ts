// F6 goes from region to region, Shift F6 back. A region that has others in it is not one itself: its own place is
// theirs.
const FOCUSABLE = 'a[href], button, textarea, input, select, summary, [tabindex]';

const isShown = (element: HTMLElement): boolean => element.getClientRects().length > 0 && getComputedStyle(element).visibility !== 'hidden';
const canTake = (element: HTMLElement): boolean => element.tabIndex >= 0 && !element.matches(':disabled') && isShown(element);

/** Where the focus goes in a region: the field one writes in, what is current, the region itself, the first that can take it. */
function target(region: HTMLElement): HTMLElement | null {
  const inside = [...region.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(canTake);
  const wished = inside.find((one) => one.matches('[data-composer]')) ?? inside.find((one) => one.matches('[aria-current]:not([aria-current="false"])'));
  return wished ?? (canTake(region) ? region : (inside[0] ?? null));
}

function regions(): { region: HTMLElement; target: HTMLElement }[] {
  const all = [...document.querySelectorAll<HTMLElement>('[data-region]')].filter(isShown);
  return all
    .filter((one) => !all.some((other) => other !== one && one.contains(other)))
    .flatMap((region) => {
      const found = target(region);
      return found ? [{ region, target: found }] : [];
    });
}

export function goToRegion(step: 1 | -1): void {
  // A dialog keeps the focus until it is closed.
  if (document.querySelector('[role="dialog"][aria-modal="true"], [role="dialog"].sheet, [role="alertdialog"]')) return;
  const list = regions();
  const at = list.findIndex(({ region }) => region.contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : list.length - 1) : (at + step + list.length) % list.length;
  list[next]?.target.focus();
}
