// What a model writes cannot make the page slow, deep or blank. Work is counted in letters that are handed to a rule:
// a text of twice the length may cost twice as much, and no more than so many times its length.
import { describe, expect, test } from 'vitest';
import { BoundedLexer } from './lexer';
import { renderMath } from './math';
import { blocksOf, GrowingBlocks, toHtml, type Block } from './parser';
import { htmlOf } from './render';

const times = (part: string) => (length: number) => part.repeat(Math.ceil(length / part.length)).slice(0, length);
const deep = (open: string, close = '') => (length: number) => {
  const count = Math.floor(length / (open.length + close.length));
  return open.repeat(count) + close.repeat(count);
};
const stairs = (line: (depth: number) => string) => (length: number) => {
  const lines: string[] = [];
  for (let depth = 0, sum = 0; sum < length; depth += 1) {
    const next = line(depth);
    lines.push(next);
    sum += next.length + 1;
  }
  return lines.join('\n');
};

const evil: Record<string, (length: number) => string> = {
  dollars: times('$'),
  'open formulas': times('$a '),
  'open display formulas': times('$$a\n'),
  'formulas full of blanks': (length) => `$$${' '.repeat(length)}x`,
  'open brackets of formulas': times('\\['),
  'open parentheses of formulas': times('\\(a '),
  brackets: times('['),
  'open links': times('[a]('),
  'links in links': deep('[', '](x)'),
  images: times('!['),
  stars: times('*'),
  'open emphasis': times('**a *b _c '),
  'deep emphasis': deep('*a **b ', ' b** a*'),
  tags: times('<'),
  'open tags': times('<a b="'),
  comments: times('<!--'),
  backticks: times('`a'),
  'runs of backticks': stairs((depth) => '`'.repeat(depth)),
  'quotes in quotes': times('>'),
  'stairs of quotes': stairs((depth) => `${'>'.repeat(depth)} a`),
  'lists in lists': times('- '),
  'stairs of lists': stairs((depth) => `${'  '.repeat(depth)}- a`),
  'lists in quotes in lists': times('1. > - '),
  'a long list': times('- a\n'),
  'an open fence': (length) => `\`\`\`js\n${'a\n'.repeat(length / 2)}`,
  'fences in fences': times('~~~a\n'),
  'a wide and long table': (length) => `${'|a'.repeat(length / 8)}|\n${'|-'.repeat(length / 8)}|\n${'|\n'.repeat(length / 4)}`,
  'a long table': (length) => `|a|b|\n|-|-|\n${'|1|2|\n'.repeat(length / 6)}`,
  pipes: times('|'),
  rules: times('- - '),
  blanks: (length) => `a${' '.repeat(length)}b`,
  'empty lines': times('\n'),
  'one long word': times('a'),
  addresses: times('a.b@'),
  'a long address': (length) => `http://a${')'.repeat(length)}`,
  definitions: times('[a]: b "'),
  backslashes: times('\\'),
};
const names = Object.keys(evil);
const make = (name: string, length: number): string => evil[name]?.(length) ?? '';

function work(text: string): number {
  const before = BoundedLexer.read;
  blocksOf(text);
  return BoundedLexer.read - before;
}
const textOf = (blocks: Block[]): string => blocks.map((block) => block.raw).join('');
const letters = (text: string): string => text.replaceAll(/\s/g, '');

describe('hostile texts', () => {
  test.each(names)('%s: twice the length is twice the work', (name) => {
    const [small, large] = [work(make(name, 20_000)), work(make(name, 40_000))];
    expect(large).toBeLessThan(small * 2.3 + 20_000);
    expect(large).toBeLessThan(40_000 * 100);
  });
  test.each(names)('%s: 100,000 letters are shown, none is lost', (name) => {
    const text = make(name, 100_000);
    const blocks = blocksOf(text);
    expect(letters(textOf(blocks)).length).toBe(letters(text).length);
    const first = blocks.find((block) => block.kind === 'html');
    if (first) expect(typeof htmlOf(first.raw.slice(0, 2000))).toBe('string');
  });
  test('nesting ends where nobody reads any more, and the rest is text', () => {
    const html = toHtml(make('quotes in quotes', 2000));
    expect(html.match(/<blockquote>/g)?.length).toBeLessThan(30);
    expect(html).toContain('&gt;&gt;&gt;');
  });
  test('a text of a million letters is markdown at first, then as it was written', () => {
    const blocks = blocksOf('**a** b\n\n'.repeat(120_000));
    expect(blocks.length).toBeLessThan(2100);
    expect(blocks[0]).toEqual({ kind: 'html', raw: '**a** b' });
    expect(blocks.at(-1)?.kind).toBe('plain');
  });
  test('a parser that fails leaves the text', () => {
    const lex = BoundedLexer.prototype.blockTokens;
    BoundedLexer.prototype.blockTokens = () => {
      throw new RangeError('Maximum call stack size exceeded');
    };
    try {
      expect(blocksOf('some *text*')).toEqual([{ kind: 'plain', raw: 'some *text*' }]);
      expect(new GrowingBlocks().update('some *text*')).toEqual([{ kind: 'plain', raw: 'some *text*' }]);
      expect(htmlOf('never *seen* before')).toBeNull();
    } finally {
      BoundedLexer.prototype.blockTokens = lex;
    }
  });
});

describe('hostile texts that grow', () => {
  const growing = (text: string, step: number) => {
    const before = BoundedLexer.read;
    const blocks = new GrowingBlocks();
    let shown: Block[] = [];
    for (let at = step; at < text.length + step; at += step) shown = blocks.update(text.slice(0, at));
    return { work: BoundedLexer.read - before, shown };
  };
  test.each(['a long table', 'dollars', 'quotes in quotes'])('%s: the readings together stay linear', (name) => {
    const small = growing(make(name, 12_000), 300).work;
    const large = growing(make(name, 24_000), 300).work;
    expect(large).toBeLessThan(small * 2.6);
  });
  test('what is not read yet is shown as it came', () => {
    const text = make('a long list', 12_050);
    expect(letters(textOf(growing(text, 200).shown))).toBe(letters(text));
  });
});

describe('hostile formulas', () => {
  const drawn = async () => {
    for (let wait = 0; !renderMath('a+b', false).includes('<math') && wait < 2000; wait += 1) await new Promise((done) => setTimeout(done, 5));
  };
  test.each([
    ['a definition that doubles', `${'\\edef\\b{\\b\\b}'.repeat(200)}\\b`],
    ['a macro of macros', '\\def\\a#1{#1#1}\\a{\\a{\\a{\\a{x}}}}'],
    ['one that never ends', '\\frac{'.repeat(400)],
    ['one longer than a page', 'x'.repeat(5000)],
    ['one that is nonsense', '}{^_&'],
  ])('%s is shown as its source', async (_, source) => {
    await drawn();
    const html = renderMath(source, true);
    expect(html).toMatch(/^<code class="math-source">/);
  });
  test('a real one is drawn, and a blank in it is never wider than the page', async () => {
    await drawn();
    expect(renderMath('\\frac{1}{2}', false)).toContain('<mfrac>');
    expect(renderMath('a\\kern99999em b', false)).not.toMatch(/width="\d{3,}/);
  });
  test('only so many are drawn in one block', async () => {
    await drawn();
    const html = htmlOf('$x$ '.repeat(1200)) ?? '';
    expect(html.match(/<math/g)?.length).toBe(300);
    expect(html.match(/math-source/g)?.length).toBe(900);
  });
});
