// KaTeX weighs more than the rest of the page, so it comes when the first formula does. Until then, and where a
// formula is wrong or more than a person reads, its source is shown.
import { tick } from './versions';

type Katex = typeof import('katex').default;
let katex: Katex | null = null;
let wanted = false;

export const LONGEST_FORMULA = 3000; // letters; a page full of matrices has some 2,000
const MOST_LETTERS = 12_000; // of all formulas in one block
const LEAST_COST = 40; // letters that the shortest formula counts for: 300 of them are the most
const MAX_EXPAND = 200; // macros of macros
const MAX_SIZE_EM = 20; // a rule or blank wider than this would push everything else out of sight
/** Definitions let a short formula grow without end, and no answer needs them. */
const DEFINES = /\\(?:[gex]?def|let|futurelet|global|long|(?:re)?newcommand|providecommand)(?![a-zA-Z])/;

let left = MOST_LETTERS;
export const beginBlock = (): void => void (left = MOST_LETTERS);

export function renderMath(source: string, display: boolean): string {
  left -= Math.max(source.length, LEAST_COST);
  if (left < 0 || source.length > LONGEST_FORMULA || DEFINES.test(source)) return sourceOf(source);
  if (!katex) {
    load();
    return sourceOf(source);
  }
  try {
    // MathML needs no fonts and no styles of its own, and screen readers read it.
    const options = { displayMode: display, output: 'mathml', throwOnError: true, maxExpand: MAX_EXPAND, maxSize: MAX_SIZE_EM } as const;
    const html = katex.renderToString(source, options);
    return display ? `<div class="math" tabindex="0">${html}</div>` : html;
  } catch {
    return sourceOf(source);
  }
}

function load(): void {
  if (wanted) return;
  wanted = true;
  import('katex').then(
    (module) => {
      katex = module.default;
      tick('math');
    },
    () => {
      wanted = false;
    },
  );
}

const sourceOf = (source: string): string => `<code class="math-source">${escape(source)}</code>`;
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
