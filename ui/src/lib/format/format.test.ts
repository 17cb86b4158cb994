import { beforeEach, describe, expect, test } from 'vitest';
import { overwriteGetLocale } from '$lib/paraglide/runtime';
import { readAmount } from './amount';
import { bytes, duration, groups, height, short, span, tokensPerSecond, whenBlock } from './figures';
import { add, exact, exceeds, exactText, percentOf, plain, price, subtract, summary } from './money';

let locale: 'en' | 'de' = 'en';
overwriteGetLocale(() => locale);
beforeEach(() => (locale = 'en'));

describe('money', () => {
  test('six decimals, the last four apart', () => {
    expect(exact('1284615888')).toMatchObject({ whole: '1,284', strong: '61', dim: '5888' });
    expect(exactText('63574964374')).toBe('63,574.964374');
    expect(exactText('0')).toBe('0.000000');
    expect(exactText('1911629', '+')).toBe('+\u00a01.911629');
    expect(exactText('1313910', '−')).toBe('\u2212\u00a01.313910');
  });
  test('summaries are cut, not rounded, and a little is said to be little', () => {
    expect(summary('56229999')).toBe('56.22');
    expect(summary('1999999')).toBe('1.99');
    expect(summary('9999')).toBe('<\u00a00.01');
    expect(summary('1')).toBe('<\u00a00.01');
    expect(summary('0')).toBe('0.00');
    expect(summary('1911629', '+')).toBe('+\u00a01.91');
  });
  test('prices are rounded up to four decimals', () => {
    expect(price('262782')).toBe('0.2628');
    expect(price('1')).toBe('0.0001');
    expect(price('999999')).toBe('1.0000');
    expect(price('0')).toBe('0.0000');
  });
  test('amounts beyond what a float holds stay exact', () => {
    expect(exactText('9007199254740993123456')).toBe('9,007,199,254,740,993.123456');
    expect(add('9007199254740993', '1')).toBe('9007199254740994');
    expect(subtract('5', '7')).toBe('0');
  });
  test('German signs', () => {
    locale = 'de';
    expect(exactText('1284615888')).toBe('1.284,615888');
  });
  test('a button repeats the amount without empty decimals', () => {
    expect(plain('250000000')).toBe('250');
    expect(plain('250500000')).toBe('250.5');
  });
  test('a button or a field repeats it as it can be typed', () => {
    expect(plain('1234500000', false)).toBe('1234.5');
    expect(plain('1234500000')).toBe('1,234.5');
  });
  test('a limit is exceeded by what is more than it, and never by what is free', () => {
    expect(exceeds('5000000', '4800000', '200000')).toBe(false);
    expect(exceeds('5000000', '4800000', '200001')).toBe(true);
    expect(exceeds('0', '0', '1')).toBe(true);
    expect(exceeds('0', '9', '0')).toBe(false);
  });
  test('shares of a bar', () => {
    expect(percentOf('60000000000', '63574964374')).toBeCloseTo(94.37, 1);
    expect(percentOf('1', '0')).toBe(0);
  });
});

describe('what a person types as an amount', () => {
  const read = (text: string) => {
    const found = readAmount(text);
    return 'amount' in found ? found.amount : found.fault;
  };
  const german = (text: string) => {
    locale = 'de';
    return read(text);
  };
  test.each([
    ['250', '250000000'],
    [' 250 ', '250000000'],
    ['0.5', '500000'],
    ['.000001', '1'],
    ['0.500', '500000'],
    ['1.2340', '1234000'],
    ['1234.5', '1234500000'],
    ['1,284.615888', '1284615888'],
    ['1,234,567', '1234567000000'],
    ['999999999999999.999999', '999999999999999999999'],
  ])('English: %s is %s upokt', (typed, upokt) => expect(read(typed)).toBe(upokt));
  test.each([
    ['250', '250000000'],
    ['0,5', '500000'],
    [',000001', '1'],
    ['1.284,5', '1284500000'],
    ['1.234.567', '1234567000000'],
  ])('German: %s is %s upokt', (typed, upokt) => expect(german(typed)).toBe(upokt));
  test.each(['1,234', '12.345', '999,999', '1.000'])('%s could mean two things, in every language', (typed) => {
    expect(read(typed)).toBe('two');
    expect(german(typed)).toBe('two');
  });
  test('both meanings are said so that each can be typed', () => {
    for (const tag of ['en', 'de'] as const) {
      locale = tag;
      const found = readAmount('1,234');
      if (!('one' in found)) throw new Error('it was read');
      expect([read(found.one), read(found.other)]).toEqual(['1234000', '1234000000']);
    }
  });
  test.each(['0,5', '12,34', '1,23,456', '1,2345', '1.2.3', '1,234,56.5', '0,123,456', '1.5,', '5.', '1 234', "1'234", '1.234,5'])(
    'English: the grouping or the signs of %s are none of ours',
    (typed) => expect(read(typed)).toBe('signs'),
  );
  test.each(['0.5', '12.34', '1.2345', '1,284.6', '1.23.456'])('German: the grouping or the signs of %s are none of ours', (typed) => expect(german(typed)).toBe('signs'));
  test.each(['', ' ', '.', ',', '1e3', '-1', '+1', 'abc', '0x10', '１２', '1_000', '٣', '9999999999999999'])('%s is no amount', (typed) => expect(read(typed)).toBe('none'));
  test('a seventh decimal is not dropped', () => expect(read('0.0000001')).toBe('fine'));
});

describe('figures', () => {
  test('heights are grouped, sessions have an en dash', () => {
    expect(height(871209)).toBe('871,209');
    expect(span(871201, 871220)).toBe('871,201–871,220');
  });
  test('bytes are decimal', () => {
    expect(bytes(8_990_000_000)).toBe('8.99\u00a0GB');
    expect(bytes(98_000_000)).toBe('98\u00a0MB');
    expect(bytes(512)).toBe('512\u00a0B');
    expect(bytes(18_600_000_000)).toBe('18.6\u00a0GB');
  });
  test('durations', () => {
    expect(duration(1200)).toBe('1.2\u00a0s');
    expect(duration(840)).toBe('0.84\u00a0s');
    expect(duration(11_000)).toBe('11\u00a0s');
    expect(duration(111_000)).toBe('1\u00a0min 51\u00a0s');
    expect(duration(3 * 86_400_000 + 4 * 3_600_000)).toBe('3\u00a0d 4\u00a0h');
  });
  test('speeds', () => {
    expect(tokensPerSecond(54.2, 0)).toBe('54');
    expect(tokensPerSecond(31.2, 1)).toBe('31.2');
  });
  test('addresses are cut in the middle and read in fours', () => {
    expect(short('pokt1m8jxxabcdefghijkzwlj')).toBe('pokt1m8jx…zwlj');
    expect(groups('pokt1m8jxx')).toEqual(['pokt', '1m8j', 'xx']);
  });
  test('future blocks', () => {
    const head = { height: 100, time: '2026-11-21T19:42:00Z', block_time_ms: 60_000 };
    expect(whenBlock(104, head).blocks).toBe(4);
    expect(whenBlock(90, head).blocks).toBe(0);
    expect(whenBlock(104, { ...head, block_time_ms: null }).at).toBeNull();
  });
});
