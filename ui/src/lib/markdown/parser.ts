// Markdown to blocks. Raw HTML in an answer is shown as text, images become words (a page that fetches what a model
// names would tell strangers who reads), and everything goes through the sanitiser on top.
import { Marked, type Token, type TokenizerExtension, type RendererExtension, type Tokens } from 'marked';
import { renderMath } from './math';

export type Block =
  | { kind: 'code'; raw: string; text: string; language: string; closed: boolean }
  | { kind: 'html'; raw: string };

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

type MathToken = Tokens.Generic & { text: string; display: boolean };
type Extension = TokenizerExtension & RendererExtension;

function mathExtension(name: string, level: 'block' | 'inline', hint: string, rule: RegExp, display: boolean): Extension {
  return {
    name,
    level,
    start: (source) => {
      const at = source.indexOf(hint);
      return at < 0 ? undefined : at;
    },
    tokenizer(source) {
      const match = rule.exec(source);
      if (!match?.[1]) return undefined;
      return { type: name, raw: match[0], text: match[1].trim(), display };
    },
    renderer: (token) => renderMath((token as MathToken).text, (token as MathToken).display),
  };
}

const math = [
  mathExtension('mathBlock', 'block', '$$', /^\$\$\s*\n?([^$]+?)\n?\s*\$\$[^\S\n]*(?:\n|$)/, true),
  mathExtension('mathBracketBlock', 'block', '\\[', /^\\\[([\s\S]+?)\\\][^\S\n]*(?:\n|$)/, true),
  mathExtension('mathDisplay', 'inline', '$$', /^\$\$([^$]+?)\$\$/, true),
  mathExtension('mathBracket', 'inline', '\\[', /^\\\[([\s\S]+?)\\\]/, true),
  mathExtension('mathParen', 'inline', '\\(', /^\\\(([\s\S]+?)\\\)/, false),
  // No blank inside the signs and no digit behind: "from $5 to $10" is money.
  mathExtension('mathInline', 'inline', '$', /^\$(?![\s$])((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d)/, false),
];

export const marked = new Marked({
  gfm: true,
  breaks: false,
  extensions: undefined,
  renderer: {
    html: ({ text }) => escape(text),
    image: ({ href, text }) => `<a href="${escape(href)}">${escape(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    table(token) {
      const cells = (row: Tokens.TableCell[], tag: 'th' | 'td') =>
        row
          .map((cell) => `<${tag}${cell.align ? ` class="${cell.align}"` : ''}>${this.parser.parseInline(cell.tokens)}</${tag}>`)
          .join('');
      const body = token.rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('');
      return `<div class="table-wrap" tabindex="0"><table><thead><tr>${cells(token.header, 'th')}</tr></thead><tbody>${body}</tbody></table></div>`;
    },
    code: ({ text }) => `<pre tabindex="0"><code>${escape(text)}</code></pre>`,
  },
});
marked.use({ extensions: math });

const fenceEnd = (raw: string): boolean => {
  const open = /^ {0,3}(`{3,}|~{3,})/.exec(raw);
  if (!open?.[1]) return true;
  const lines = raw.trimEnd().split('\n');
  const last = lines.at(-1)?.trim() ?? '';
  return lines.length > 1 && last.startsWith(open[1]) && /^[`~]+$/.test(last);
};

function toBlock(token: Token): Block | null {
  if (token.type === 'space') return null;
  if (token.type !== 'code') return { kind: 'html', raw: token.raw };
  const code = token as Tokens.Code;
  const language = (code.lang ?? '').trim().split(/\s+/)[0] ?? '';
  return { kind: 'code', raw: code.raw, text: code.text, language, closed: fenceEnd(code.raw) };
}

export function blocksOf(text: string): Block[] {
  return marked.lexer(text).flatMap((token) => toBlock(token) ?? []);
}

/**
 * Blocks of a text that grows. What lies before the last block cannot change any more, so only that block is read
 * again: the cost of a token does not grow with the length of the answer.
 */
export class GrowingBlocks {
  private finished: Block[] = [];
  private tail = '';
  private length = 0;

  update(text: string): Block[] {
    if (text.length < this.length || !text.startsWith(this.head())) this.reset();
    this.tail += text.slice(this.length);
    this.length = text.length;
    this.seen = text;
    const tokens = marked.lexer(this.tail);
    const keep = firstOpen(tokens);
    const done = tokens.slice(0, keep);
    const rawLength = done.reduce((sum, token) => sum + token.raw.length, 0);
    // The lexer may normalise white space; only cut where the raw text really is what we hold.
    if (done.length > 0 && done.map((token) => token.raw).join('') === this.tail.slice(0, rawLength)) {
      this.finished.push(...done.flatMap((token) => toBlock(token) ?? []));
      this.tail = this.tail.slice(rawLength);
      return [...this.finished, ...tokens.slice(keep).flatMap((token) => toBlock(token) ?? [])];
    }
    return [...this.finished, ...tokens.flatMap((token) => toBlock(token) ?? [])];
  }

  private seen = '';

  private head(): string {
    return this.seen;
  }

  private reset(): void {
    this.finished = [];
    this.tail = '';
    this.length = 0;
  }
}

/** The index of the last token before `from` that is not blank lines. */
function lastWithoutSpace(tokens: Token[], from: number): number {
  let at = from - 1;
  while (at > 0 && tokens[at]?.type === 'space') at -= 1;
  return Math.max(at, 0);
}

/**
 * The first token that what comes may still change: the last one, and the one before it as long as the last is only
 * the beginning of a line ("3" may become "3. three" and belong to the list above).
 */
function firstOpen(tokens: Token[]): number {
  const last = lastWithoutSpace(tokens, tokens.length);
  const isWholeLine = tokens[last]?.raw.includes('\n') || last < tokens.length - 1;
  return isWholeLine ? last : lastWithoutSpace(tokens, last);
}
