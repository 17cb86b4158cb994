import { expect, test } from 'vitest';
import { lookAlike, looksOf } from './lookalike';

test('names that are drawn alike look alike, whatever script they are in', () => {
  for (const [one, other] of [
    ['Exchange', 'Ехсhаngе'], ['Exchange', 'EХCHANGE'], ['Bob', 'Воb'], ['Paypal', 'PаypаI'], ['Coin', 'C0in'], ['Zoe', 'Zoé'],
    ['Bank', 'Ba\u200bnk'], ['Oma', 'Οma'], ['ivan', 'іvаn'], ['Main key', 'Mаin  key'], ['Alice', 'Ａlice'],
  ] as const) {
    expect(looksOf(other), other).toBe(looksOf(one));
  }
  for (const [one, other] of [['Bob', 'Rob'], ['Анна', 'Анне'], ['Bank', 'Bunk'], ['家', '水']] as const) expect(looksOf(other)).not.toBe(looksOf(one));
});

test('a name is compared with those of other addresses alone', () => {
  const known = [{ name: 'Exchange', address: 'a' }, { name: 'Bob', address: 'b' }];
  expect(lookAlike({ name: 'Ехсhange', address: 'x' }, known)?.address).toBe('a');
  expect(lookAlike({ name: 'Ехсhange', address: 'a' }, known)).toBeNull();
  expect(lookAlike({ name: '\u200b', address: 'x' }, [{ name: ' ', address: 'y' }])).toBeNull();
});
