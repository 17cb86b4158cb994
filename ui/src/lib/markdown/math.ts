// KaTeX weighs more than the rest of the page, so it comes when the first formula does. Until then, and where a
// formula is wrong, its source is shown.
import { tick } from './versions';

type Katex = typeof import('katex').default;
let katex: Katex | null = null;
let wanted = false;

export function renderMath(source: string, display: boolean): string {
  if (!katex) {
    load();
    return `<code class="math-source">${escape(source)}</code>`;
  }
  try {
    // MathML needs no fonts and no styles of its own, and screen readers read it.
    const html = katex.renderToString(source, { displayMode: display, output: 'mathml', throwOnError: true, maxExpand: 200 });
    return display ? `<div class="math" tabindex="0">${html}</div>` : html;
  } catch {
    return `<code class="math-source">${escape(source)}</code>`;
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

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
