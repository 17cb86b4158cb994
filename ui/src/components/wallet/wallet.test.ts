import { describe, expect, test } from 'vitest';
import { addressFault } from './address';
import { asks, normalWords } from './words';

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
});
