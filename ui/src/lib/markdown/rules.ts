// Formulas between their signs, found by looking ahead a bounded way: what a model writes cannot make reading slow.
import type { RendererExtension, TokenizerExtension, Tokens } from 'marked';
import type { BoundedLexer } from './lexer';
import { LONGEST_FORMULA, renderMath } from './math';

type MathToken = Tokens.Generic & { text: string; display: boolean };
type Extension = TokenizerExtension & RendererExtension;
type Found = { raw: string; text: string } | null;

const LINE_AHEAD = 64; // blanks that may stand behind a formula in its line

/** What stands between `open` and `close`, if the formula ends within reach. */
function between(source: string, open: string, close: string): Found {
  if (!source.startsWith(open)) return null;
  const end = source.slice(open.length, open.length + LONGEST_FORMULA + close.length).indexOf(close);
  if (end < 0) return null;
  const text = source.slice(open.length, open.length + end);
  return text.trim() === '' ? null : { raw: source.slice(0, open.length + end + close.length), text };
}

/** The same where the formula has to be the last thing in its line, which is then part of it. */
function wholeLine(source: string, found: Found): Found {
  if (!found) return null;
  const behind = /^[^\S\n]*(?:\n|$)/.exec(source.slice(found.raw.length, found.raw.length + LINE_AHEAD));
  return behind ? { raw: found.raw + behind[0], text: found.text } : null;
}

const withoutSign = (found: Found): Found => (found?.text.includes('$') ? null : found);

/** No blank inside the signs and no digit behind: "from $5 to $10" is money. */
function inlineDollar(source: string): Found {
  if (!source.startsWith('$')) return null;
  const line = source.slice(1, LONGEST_FORMULA + 3);
  for (let at = 0; at < line.length; at += 1) {
    const sign = line[at];
    if (sign === '\n') return null;
    if (sign === '\\') at += 1;
    else if (sign === '$') {
      const text = line.slice(0, at);
      if (text === '' || /^\s|\s$/.test(text) || /^\d/.test(line.slice(at + 1))) return null;
      return { raw: source.slice(0, at + 2), text };
    }
  }
  return null;
}

type Rule = { name: string; level: 'block' | 'inline'; display: boolean; find: (source: string) => Found };

function extension({ name, level, display, find }: Rule, start?: Extension['start']): Extension {
  return {
    name,
    level,
    ...(start ? { start } : {}),
    tokenizer(source) {
      const found = find(source);
      return found ? { type: name, raw: found.raw, text: found.text.trim(), display } : undefined;
    },
    renderer: (token) => renderMath((token as MathToken).text, (token as MathToken).display),
  };
}

/** A formula of its own ends the paragraph above it where it begins a line. */
function block(name: string, sign: string, find: Rule['find']): Extension {
  const lineOf = `\n${sign}`;
  return extension({ name, level: 'block', display: true, find }, function (left) {
    const at = (this.lexer as BoundedLexer).next(left, lineOf, (place) => find(left.slice(place + 1)) !== null);
    return at === undefined ? undefined : at + 1;
  });
}

export const mathRules: Extension[] = [
  block('mathBlock', '$$', (source) => wholeLine(source, withoutSign(between(source, '$$', '$$')))),
  block('mathBracketBlock', '\\[', (source) => wholeLine(source, between(source, '\\[', '\\]'))),
  extension({ name: 'mathDisplay', level: 'inline', display: true, find: (source) => withoutSign(between(source, '$$', '$$')) }),
  // A text ends before a backslash anyhow, so these need no start.
  extension({ name: 'mathBracket', level: 'inline', display: true, find: (source) => between(source, '\\[', '\\]') }),
  extension({ name: 'mathParen', level: 'inline', display: false, find: (source) => between(source, '\\(', '\\)') }),
  extension({ name: 'mathInline', level: 'inline', display: false, find: inlineDollar }, function (left) {
    return (this.lexer as BoundedLexer).next(left, '$');
  }),
];
