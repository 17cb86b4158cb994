// Words in the rendered text of the page as ranges of it.
import { EDGE, phraseHits, wordHits, type Hit } from './text';

/** Rendered texts of questions and answers; buttons and receipts are no text of the chat. */
export const SEARCHED = '[data-find]';
const BLOCKS = 'p, li, td, th, h1, h2, h3, h4, h5, h6, pre, blockquote, summary, div, .math';
/** More than anybody steps through. */
export const MOST_HITS = 2000;

type Piece = { node: Text; from: number };

/** All text below an element with the places of its nodes; blocks are kept apart. */
function read(root: Element): { text: string; pieces: Piece[] } {
  const pieces: Piece[] = [];
  let text = '';
  let block: Element | null = null;
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode() as Text | null; node; node = walk.nextNode() as Text | null) {
    const parent = node.parentElement;
    // The source of a formula is there for copying, and not shown.
    if (!parent || parent.closest('annotation, button, header')) continue;
    const now = parent.closest(BLOCKS);
    if (now !== block) text += EDGE;
    block = now;
    pieces.push({ node, from: text.length });
    text += node.data;
  }
  return { text, pieces };
}

function rangeOf({ pieces }: { pieces: Piece[] }, [from, to]: Hit): Range | null {
  const at = (place: number) => pieces.findLast((piece) => piece.from <= place);
  const [first, last] = [at(from), at(to - 1)];
  if (!first || !last) return null;
  const range = document.createRange();
  range.setStart(first.node, from - first.from);
  range.setEnd(last.node, to - last.from);
  return range;
}

/** Ranges of the words as they stand; with `orWords`, where they stand nowhere so, of each of the words. */
export function rangesIn(root: Element, query: string, orWords = false): Range[] {
  const texts = [...root.querySelectorAll(SEARCHED)].map(read);
  const find = (how: typeof phraseHits) => {
    const ranges: Range[] = [];
    for (const text of texts) {
      if (ranges.length >= MOST_HITS) break;
      for (const hit of how(text.text, query, MOST_HITS - ranges.length)) {
        const range = rangeOf(text, hit);
        if (range) ranges.push(range);
      }
    }
    return ranges;
  };
  const phrases = find(phraseHits);
  return phrases.length > 0 || !orWords ? phrases : find(wordHits);
}
