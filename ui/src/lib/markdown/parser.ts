// Markdown to blocks. Raw HTML in an answer is shown as text, images become words (a page that fetches what a model
// names would tell strangers who reads), and everything goes through the sanitiser on top. A text that cannot be read
// as markdown, or is longer than anybody reads, is shown as it is.
import { Marked, Parser, type Token, type Tokens } from 'marked';
import { BoundedLexer, isTooWide } from './lexer';
import { mathRules } from './rules';

export type Block =
  | { kind: 'code'; raw: string; text: string; language: string; closed: boolean }
  | { kind: 'html'; raw: string }
  | { kind: 'plain'; raw: string };

const LONGEST_TEXT = 200_000; // letters, some 50,000 tokens; what follows is shown as plain text
const MOST_BLOCKS = 2000; // what follows is one plain block

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export const marked = new Marked({
  gfm: true,
  breaks: false,
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
  // `false` leaves it to the library, `undefined` says that there is no table.
  tokenizer: { table: (source) => (isTooWide(source) ? undefined : false) },
});
marked.use({ extensions: mathRules });

const lex = (text: string): Token[] => new BoundedLexer(marked.defaults).lex(text);

/** HTML of a text that is not sanitised yet. Throws where the text cannot be read. */
export const toHtml = (text: string): string => Parser.parse(lex(text), marked.defaults);

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

const toBlocks = (tokens: Token[]): Block[] => tokens.flatMap((token) => toBlock(token) ?? []);

/** At most so many blocks; the text of all others is one plain block. */
function bounded(blocks: Block[]): Block[] {
  if (blocks.length <= MOST_BLOCKS) return blocks;
  const rest = blocks.slice(MOST_BLOCKS).map((block) => block.raw);
  return [...blocks.slice(0, MOST_BLOCKS), { kind: 'plain', raw: rest.join('\n') }];
}

const plain = (raw: string): Block[] => (raw.trim() === '' ? [] : [{ kind: 'plain', raw }]);

export function blocksOf(text: string): Block[] {
  try {
    const blocks = bounded(toBlocks(lex(text.slice(0, LONGEST_TEXT))));
    return [...blocks, ...plain(text.slice(LONGEST_TEXT))];
  } catch {
    return plain(text);
  }
}

const LONG_TAIL = 8000; // letters of an unfinished block, from which on it is not read again for every word
const TAIL_GROWTH = 1 / 32; // but when it has grown by this much: all readings together stay linear in its length

/**
 * Blocks of a text that grows. What lies before the last block cannot change any more, so only that block is read
 * again: the cost of a token does not grow with the length of the answer.
 */
export class GrowingBlocks {
  private finished: Block[] = [];
  private tail = '';
  private seen = '';
  /** What the tail was read to be, and how long it was then. */
  private open: Block[] = [];
  private readTo = 0;

  update(text: string): Block[] {
    if (text.length < this.seen.length || !text.startsWith(this.seen)) this.reset();
    const shown = text.slice(0, LONGEST_TEXT);
    this.tail += shown.slice(Math.min(this.seen.length, LONGEST_TEXT));
    this.seen = text;
    if (!this.mayWait()) this.read();
    const waiting = plain(this.tail.slice(this.readTo) + text.slice(LONGEST_TEXT));
    return [...bounded([...this.finished, ...this.open]), ...waiting];
  }

  /** Whether the tail is so long that a few more words are shown as they came. Code is read fast, and always. */
  private mayWait(): boolean {
    const grown = this.tail.length - this.readTo;
    return this.readTo > LONG_TAIL && grown < this.readTo * TAIL_GROWTH && this.open.at(-1)?.kind !== 'code';
  }

  private read(): void {
    this.readTo = this.tail.length;
    let tokens: Token[];
    try {
      tokens = lex(this.tail);
    } catch {
      this.open = plain(this.tail);
      return;
    }
    const keep = firstOpen(tokens);
    const done = tokens.slice(0, keep);
    const rawLength = done.reduce((sum, token) => sum + token.raw.length, 0);
    // The lexer may normalise white space; only cut where the raw text really is what we hold.
    if (done.length === 0 || done.map((token) => token.raw).join('') !== this.tail.slice(0, rawLength)) {
      this.open = toBlocks(tokens);
      return;
    }
    this.finished.push(...toBlocks(done));
    this.tail = this.tail.slice(rawLength);
    this.readTo = this.tail.length;
    this.open = toBlocks(tokens.slice(keep));
  }

  private reset(): void {
    this.finished = [];
    this.open = [];
    this.tail = this.seen = '';
    this.readTo = 0;
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
