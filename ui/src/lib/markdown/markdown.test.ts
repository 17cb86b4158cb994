import DOMPurify from 'dompurify';
import { describe, expect, test, vi } from 'vitest';
import { blocksOf, GrowingBlocks, marked } from './parser';
import { htmlOf, sanitise } from './render';

const html = (text: string) => htmlOf(text) ?? '';

describe('what a model must not do', () => {
  test('the sanitiser works here', () => expect(DOMPurify.isSupported).toBe(true));

  test.each([
    '<script>alert(1)</script>',
    'a <script src="https://x.example/y.js"></script> b',
    '<img src=x onerror=alert(1)>',
    '<a href="javascript:alert(1)">x</a>',
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](data:text/html,<script>alert(1)</script>)',
    '[x](vbscript:x)',
    '![x](https://spy.example/pixel.png)',
    '<iframe src="https://x.example"></iframe>',
    '<svg onload=alert(1)>',
    '<form action="https://x.example"><input name=a></form>',
    '<style>body{display:none}</style>',
    '<math><mtext><img src=x onerror=alert(1)></mtext></math>',
    '| a |\n|---|\n| <img src=x onerror=alert(1)> |',
  ])('%s', (text) => {
    const holder = document.createElement('div');
    holder.innerHTML = html(text);
    expect(holder.querySelectorAll('script, img, iframe, svg, form, input, style, object, embed, link').length).toBe(0);
    for (const node of holder.querySelectorAll('*')) {
      for (const { name, value } of node.attributes) {
        expect(name).not.toMatch(/^on|^style$|^src/);
        expect(value).not.toMatch(/^\s*(javascript|data|vbscript):/i);
      }
    }
  });

  test('even raw HTML that gets past the parser', () => {
    expect(sanitise('<b onclick="x()">a</b><script>1</script><img src="x">')).toBe('<b>a</b>');
  });

  test('nothing is rendered as HTML where the sanitiser does not work', () => {
    const spy = vi.spyOn(DOMPurify, 'isSupported', 'get').mockReturnValue(false);
    expect(sanitise('<b>a</b>')).toBeNull();
    expect(htmlOf('never seen **before**')).toBeNull();
    spy.mockRestore();
  });
});

describe('what a model may do', () => {
  test('links open elsewhere and say nothing about us', () => {
    expect(html('[a](https://example.org)')).toBe('<p><a href="https://example.org" target="_blank" rel="noopener noreferrer">a</a></p>\n');
  });
  test('links into our own pages are no links', () => expect(html('[a](/wallet)')).not.toContain('href'));
  test('tables, code, lists, tasks', () => {
    expect(html('| a | b |\n|---|---:|\n| 1 | 2 |')).toContain('<td class="right">2</td>');
    expect(html('`x < y`')).toContain('<code>x &lt; y</code>');
    expect(html('- [x] done\n- [ ] open')).toMatch(/☑ [\s\S]*☐ /);
  });
  test('money is not mathematics', () => {
    expect(html('from $5 to $10')).toBe('<p>from $5 to $10</p>\n');
    expect(html('costs $5 and $ 3')).not.toContain('math');
  });
  test('formulas in all four notations', () => {
    for (const text of ['$a+b$', '\\(a+b\\)', '$$\na+b\n$$', '\\[a+b\\]']) expect(html(`${text} `)).toContain('a+b');
  });
});

const sample = [
  '# Title\n\nA paragraph with **bold** and `code`.\n\n',
  '1. one\n2. two\n\n   still two\n\n3. three\n\n',
  '```python\ndef f():\n\n    return 1\n```\n\n',
  '| a | b |\n|---|---|\n| 1 | 2 |\n\n',
  '> quoted\n> twice\n\n- x\n  - y\n\n---\n\nSetext\n======\n\n',
  '$$\nx = \\frac{1}{2}\n$$\n\nEnd with ünïcödé 漢字 and 🙂.\n\n~~~\ntilde\n~~~\n\n<div>raw</div>\n\nlast',
].join('');

function random(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
}

describe('streaming', () => {
  test('grown in pieces of any size it is what it is as a whole', () => {
    const whole = blocksOf(sample);
    for (let seed = 1; seed <= 40; seed += 1) {
      const next = random(seed);
      const growing = new GrowingBlocks();
      let last = growing.update('');
      for (let at = 0; at < sample.length; ) {
        at = Math.min(sample.length, at + 1 + Math.floor(next() * 12));
        last = growing.update(sample.slice(0, at));
      }
      expect(last).toEqual(whole);
      expect(last.map((block) => htmlOf(block.raw)).join('')).toBe(whole.map((block) => htmlOf(block.raw)).join(''));
    }
  });

  test('a text that is not longer than before starts anew', () => {
    const growing = new GrowingBlocks();
    growing.update('one\n\ntwo\n\nthree');
    expect(growing.update('other')).toEqual(blocksOf('other'));
  });

  test('a code block is closed only by its own fence', () => {
    expect(blocksOf('```js\nlet a')[0]).toMatchObject({ kind: 'code', language: 'js', closed: false });
    expect(blocksOf('```js\nlet a\n```')[0]).toMatchObject({ closed: true });
    expect(blocksOf('````\n```\n')[0]).toMatchObject({ closed: false });
  });

  test('reads far less than rendering the whole text anew', () => {
    const paragraph = 'A sentence of some length with **bold** words. '.repeat(6);
    const text = Array.from({ length: 100 }, (_, at) => `${at} ${paragraph}`).join('\n\n');
    const lexer = vi.spyOn(marked, 'lexer');
    const growing = new GrowingBlocks();
    for (let at = 0; at <= text.length; at += 30) growing.update(text.slice(0, at));
    const read = lexer.mock.calls.reduce((sum, [part]) => sum + part.length, 0);
    const naive = (text.length * (text.length / 30)) / 2;
    lexer.mockRestore();
    expect(read * 20).toBeLessThan(naive);
  });
});
