// The lexer with bounds. Nesting deeper than a person reads, and runs of text longer than a paragraph is, stay text:
// there the rules of markdown take more than linear time, or more stack than there is.
import { Lexer, type Token, type TokensList } from 'marked';

const DEEPEST = 24; // lists in quotes in lists, or bold in italics; real answers have some 5
const LONGEST_RUN = 5000; // letters of one paragraph, cell or heading; a page of a book has 3,000
const MOST_COLUMNS = 100; // each row is filled up to as many cells as the head has

const asText = (text: string): Token => ({ type: 'text', raw: text, text, escaped: false });

export class BoundedLexer extends Lexer {
  /** Letters that were handed to a rule, counted so that a test can tell linear from worse. */
  static read = 0;
  private blockDepth = 0;
  private inlineDepth = 0;
  /** For the text that is read now: how far from its end the next place of each sign is, 0 where there is none. */
  private places = new Map<string, number>();

  override blockTokens(source: string, tokens?: Token[], lastParagraphClipped?: boolean): Token[];
  override blockTokens(source: string, tokens?: TokensList, lastParagraphClipped?: boolean): TokensList;
  override blockTokens(source: string, tokens: Token[] = [], lastParagraphClipped?: boolean): Token[] {
    BoundedLexer.read += source.length;
    if (this.blockDepth >= DEEPEST) {
      tokens.push({ type: 'text', raw: source, text: source, tokens: [asText(source)] });
      return tokens;
    }
    this.blockDepth += 1;
    return this.within(() => {
      const read = super.blockTokens(source, tokens, lastParagraphClipped);
      this.blockDepth -= 1;
      return read;
    });
  }

  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    BoundedLexer.read += source.length;
    if (this.inlineDepth >= DEEPEST || source.length > LONGEST_RUN) {
      tokens.push(asText(source));
      return tokens;
    }
    this.inlineDepth += 1;
    return this.within(() => {
      const read = super.inlineTokens(source, tokens);
      this.inlineDepth -= 1;
      return read;
    });
  }

  private within<T>(work: () => T): T {
    const outer = this.places;
    this.places = new Map();
    const done = work();
    this.places = outer;
    return done;
  }

  /**
   * Where `sign` comes next in what is left of the text, and `matches` there. The library asks before every piece of
   * text; what is left is always an end of the same text, so each place is looked for once.
   */
  next(left: string, sign: string, matches?: (at: number) => boolean): number | undefined {
    const known = this.places.get(sign);
    if (known === 0) return undefined;
    if (known !== undefined && known <= left.length) return left.length - known;
    let at = left.indexOf(sign);
    while (at >= 0 && matches && !matches(at)) at = left.indexOf(sign, at + 1);
    BoundedLexer.read += at < 0 ? left.length : at;
    this.places.set(sign, at < 0 ? 0 : left.length - at);
    return at < 0 ? undefined : at;
  }
}

/** Whether the head of a table, if the text begins with one, is wider than a table may be. */
export function isTooWide(source: string): boolean {
  const end = source.indexOf('\n');
  const head = end < 0 ? source : source.slice(0, end);
  let columns = 0;
  for (let at = head.indexOf('|'); at >= 0 && columns <= MOST_COLUMNS; at = head.indexOf('|', at + 1)) columns += 1;
  return columns > MOST_COLUMNS;
}
