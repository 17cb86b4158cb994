import { afterEach, describe, expect, test } from 'vitest';
import { clear, paint, reveal } from './marks';
import { MOST_HITS, rangesIn } from './ranges';
import { fold, phraseHits, wordHits } from './text';

describe('words in a text', () => {
  const cut = (text: string, hits: [number, number][]) => hits.map(([from, to]) => text.slice(from, to));
  test('however they are written, and over the ends of lines', () => {
    const text = 'The Ember.\nThe ember  glows; EMBER\tglows';
    expect(cut(text, phraseHits(text, ' ember ', 9))).toEqual(['Ember', 'ember', 'EMBER']);
    expect(cut(text, phraseHits(text, 'ember. the', 9))).toEqual(['Ember.\nThe']);
    expect(phraseHits(text, '  ', 9)).toEqual([]);
  });
  test('letters that grow when they are small keep the places', () => {
    const text = 'İİİ ember';
    expect(fold(text)).toHaveLength(text.length);
    expect(cut(text, phraseHits(text, 'EMBER', 9))).toEqual(['ember']);
    expect(cut('Übermaß ÜBER', phraseHits('Übermaß ÜBER', 'über', 9))).toEqual(['Über', 'ÜBER']);
  });
  test('each word by itself, in the order of the text and never over one another', () => {
    const text = 'salt, bread and breadcrumbs';
    expect(cut(text, wordHits(text, 'bread salt breadcrumbs', 9))).toEqual(['salt', 'bread', 'breadcrumbs']);
    expect(wordHits(text, 'bread salt', 2)).toHaveLength(2);
  });
});

describe('words in the page', () => {
  const page = (html: string) => {
    document.body.innerHTML = `<main>${html}</main>`;
    return document.querySelector('main') as HTMLElement;
  };
  afterEach(() => (document.body.innerHTML = ''));
  const found = (root: Element, query: string, loose = false) => rangesIn(root, query, loose).map(String);

  test('go over marks within a line, and not from one block into the next', () => {
    const root = page('<div data-find><p>one <strong>bold</strong> word</p><p>bold</p><ul><li>wo</li><li>rd</li></ul></div>');
    expect(found(root, 'bold word')).toEqual(['bold word']);
    expect(found(root, 'bold')).toEqual(['bold', 'bold']);
    expect(found(root, 'wordbold')).toEqual([]);
    expect(found(root, 'word')).toEqual(['word']);
  });
  test('only in the texts of the chat, not in what stands around them', () => {
    const root = page('<p>copy</p><div data-find><header>copy</header><pre>copy</pre><button>copy</button><math><annotation>copy</annotation></math></div>');
    expect(found(root, 'copy')).toEqual(['copy']);
  });
  test('words of a search stand anywhere, unless they stand together', () => {
    const root = page('<div data-find><p>salt and bread</p></div>');
    expect(found(root, 'bread salt')).toEqual([]);
    expect(found(root, 'bread salt', true)).toEqual(['salt', 'bread']);
    expect(found(page('<div data-find><p>bread salt, salt</p></div>'), 'bread salt', true)).toEqual(['bread salt']);
  });
  test('at most so many', () => {
    expect(found(page(`<div data-find><p>${'a '.repeat(MOST_HITS * 2)}</p></div>`), 'a')).toHaveLength(MOST_HITS);
  });
  test('are laid over with boxes where the browser cannot highlight, and the folded is opened', () => {
    const root = page('<details><p data-find>deep ember</p></details><div id="layer"></div>');
    const layer = document.querySelector('#layer') as HTMLElement;
    const rect = { left: 5, top: 7, width: 30, height: 12, bottom: 19, right: 35 } as DOMRect;
    const [range] = rangesIn(root, 'ember');
    if (!range) throw new Error('not found');
    Object.assign(range, { getClientRects: () => [rect], getBoundingClientRect: () => rect });
    Element.prototype.scrollIntoView = () => {};
    reveal(root, range);
    expect(root.querySelector('details')?.open).toBe(true);
    paint(layer, [range], range);
    const box = layer.querySelector<HTMLElement>('.found-box.now');
    expect([box?.style.left, box?.style.top, box?.style.width]).toEqual(['5px', '7px', '30px']);
    clear(layer);
    expect(layer.childElementCount).toBe(0);
  });
});
