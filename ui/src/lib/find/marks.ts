// Marks ranges of the page without touching it: by the browser's own highlights, or by boxes laid over the text.
const ALL = 'found';
const CURRENT = 'found-now';
const MOST_BOXES = 300;

const canHighlight = (): boolean => typeof CSS !== 'undefined' && 'highlights' in CSS && typeof Highlight === 'function';

/** The scrolled element that the boxes are laid into. */
export function paint(layer: HTMLElement, ranges: Range[], current: Range | null): void {
  if (!canHighlight()) return boxes(layer, ranges, current);
  CSS.highlights.set(ALL, new Highlight(...ranges.filter((one) => one !== current)));
  const now = new Highlight(...(current ? [current] : []));
  now.priority = 1;
  CSS.highlights.set(CURRENT, now);
}

export function clear(layer: HTMLElement): void {
  layer.replaceChildren();
  if (!canHighlight()) return;
  CSS.highlights.delete(ALL);
  CSS.highlights.delete(CURRENT);
}

function boxes(layer: HTMLElement, ranges: Range[], current: Range | null): void {
  const origin = layer.getBoundingClientRect();
  const at = current ? ranges.indexOf(current) : 0;
  const near = ranges.slice(Math.max(0, at - MOST_BOXES / 2), at + MOST_BOXES / 2);
  const made = near.flatMap((range) =>
    [...range.getClientRects()].map((rect) => {
      const box = document.createElement('span');
      box.className = range === current ? 'found-box now' : 'found-box';
      Object.assign(box.style, {
        left: `${rect.left - origin.left}px`,
        top: `${rect.top - origin.top}px`,
        width: `${rect.width}px`,
        height: `${rect.height}px`,
      });
      return box;
    }),
  );
  layer.replaceChildren(...made);
}

/** Scrolls a range into the middle, opening what is folded over it. */
export function reveal(scroller: HTMLElement, range: Range): void {
  const element = range.startContainer.parentElement;
  const folded = element?.closest('details');
  if (folded) folded.open = true;
  element?.scrollIntoView({ block: 'center', inline: 'nearest' });
  // A long paragraph may be higher than the window.
  const [rect, frame] = [range.getBoundingClientRect(), scroller.getBoundingClientRect()];
  if (rect.top < frame.top || rect.bottom > frame.bottom) scroller.scrollTop += rect.top - frame.top - frame.height / 2;
}
