import { render } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { wallet } from '$lib/controllers/wallet.svelte';
import Activity from './Activity.svelte';
import { addressFault } from './address';
import { asks, isWhole, normalWords } from './words';

describe('addresses', () => {
  const good = 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa';
  test('what is wrong is said', () => {
    expect(addressFault('')).toMatch(/Enter/);
    expect(addressFault('cosmos1abc')).toMatch(/pokt1/);
    expect(addressFault('pokt1abc')).toMatch(/Too short by 35 characters/);
    expect(addressFault(`${'pokt1'.padEnd(44, 'q')}`)).toMatch(/Too long by 1 character\./);
  });
  test('every single wrong letter is found', () => {
    expect(addressFault(good)).toBeNull();
    for (let at = 5; at < good.length; at += 1) {
      const other = good[at] === 'q' ? 'p' : 'q';
      expect(addressFault(good.slice(0, at) + other + good.slice(at + 1))).toMatch(/letter/);
    }
  });
});

describe('recovery words', () => {
  const words = Array.from({ length: 24 }, (_, at) => `word${at}`);
  test('three different places, the right word among six', () => {
    for (let round = 0; round < 50; round += 1) {
      const questions = asks(words);
      expect(new Set(questions.map((one) => one.index)).size).toBe(3);
      for (const { index, options } of questions) {
        expect(options).toHaveLength(6);
        expect(new Set(options).size).toBe(6);
        expect(options).toContain(words[index]);
      }
    }
  });
  test('as typed or pasted', () => expect(normalWords('  Abandon\nABILITY,able  ')).toEqual(['abandon', 'ability', 'able']));
  test.each([
    ['a list (W08)', (word: string, at: number) => `${at + 1}. ${word}\n`],
    ['the table of hearth wallet export (W08b)', (word: string, at: number) => `${String(at + 1).padStart(2)} ${word.padEnd(14)}${at % 4 === 3 ? '\n' : ''}`],
    ['bullets', (word: string) => `• ${word}\r\n`],
    ['quotes (W13)', (word: string) => `“${word}” `],
  ])('%s is as many words as it shows', (_, line) => expect(normalWords(words.map(line).join(''))).toHaveLength(24));
  test.each([
    ['export --json', (list: string[]) => JSON.stringify({ words: list.join(' ') }, null, 2)],
    ['create --json', (list: string[]) => JSON.stringify({ wallet: { main: 'pokt1abc' }, words: list })],
  ])('what hearth wallet %s printed', (_, print) => expect(normalWords(print(words))).toEqual(words));
  test('15, 18 and 21 words are whole, too (W18)', () => {
    const whole = Array.from({ length: 30 }, (_, at) => at).filter((count) => isWhole(words.concat(words).slice(0, count)));
    expect(whole).toEqual([12, 15, 18, 21, 24]);
  });
});

test('a history without the chain shows the own payments and says what is missing', () => {
  vi.stubGlobal('fetch', () => new Promise(() => {}));
  const standing = { trust: 'unverified', height: 7, age_s: null } as const;
  const movement = { id: '0a', kind: 'sent', direction: 'out', amount: '1000', fee: '1', height: 7, time: null, counterparty: null, memo: null, tx: '0A', session_id: null, standing } as const;
  wallet.history.value = { movements: [movement], total: 1, payments: [], missing: [{ code: 'history_chain_away', message: 'the chain does not answer', details: 'connection refused' }] };
  const { container } = render(Activity);
  expect(container.querySelector('[data-testid=history-missing]')?.textContent).toMatch(/only what this wallet noted.*Details/s);
  expect(container.textContent).toMatch(/Sent/);
  vi.unstubAllGlobals();
});
