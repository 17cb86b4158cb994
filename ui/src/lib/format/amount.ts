// What a person types as an amount of POKT, read by one grammar: digits, grouped as the locale groups or not at all,
// then the locale's decimal sign and one to six digits. What could be read in two ways, or in the way of another
// country, is refused: a comma taken for a point is a thousand times the money.
import { localeTag } from './locale';

const MICRO = 1_000_000n;
const MOST_DIGITS = 15; // before the decimal sign; more than there will ever be

export type Amount =
  | { amount: string }
  /** Not an amount at all; more decimals than there are; the grouping or the signs of another country. */
  | { fault: 'none' | 'fine' | 'signs' }
  /** Two amounts it could be, both written so that only one is meant. */
  | { fault: 'two'; one: string; other: string };

type Signs = { point: string; group: string };

function signs(): Signs {
  const parts = new Intl.NumberFormat(localeTag(), { useGrouping: 'always' }).formatToParts(1_234_567.5);
  const of = (type: string) => parts.find((part) => part.type === type)?.value;
  return { point: of('decimal') ?? '.', group: of('group') ?? '' };
}

export const decimalSign = (): string => signs().point;

/** Blanks and apostrophes have several forms, of which keyboards have one. */
const alike = (text: string): string => text.replaceAll(/[\u00a0\u202f\u2009]/g, ' ').replaceAll('’', "'");

/** Whether these digits are grouped here just as they were typed. */
function isGrouped(typed: string, group: string): boolean {
  const digits = typed.replaceAll(group, '');
  if (!/^[1-9]\d{0,14}$/.test(digits)) return false;
  const right = alike(new Intl.NumberFormat(localeTag(), { useGrouping: 'always' }).format(BigInt(digits)));
  return right === typed;
}

/** One sign with three digits behind it, and up to three before it that do not begin with a nought. */
const TWO_MEANINGS = /^([1-9]\d{0,2})([.,])(\d{3})$/;

export function readAmount(typed: string): Amount {
  const text = alike(typed.trim());
  const { point, group: grouping } = signs();
  const group = alike(grouping);
  const two = TWO_MEANINGS.exec(text);
  if (two) return { fault: 'two', one: `${two[1]}${point}${two[3]}0`, other: `${two[1]}${two[3]}` };
  if (!/^[\d.,' ]*\d[\d.,' ]*$/.test(text)) return { fault: 'none' };
  const [whole = '', decimals, ...more] = text.split(point);
  if (more.length > 0 || (decimals !== undefined && !/^\d+$/.test(decimals))) return { fault: 'signs' };
  if (decimals !== undefined && decimals.length > 6) return { fault: 'fine' };
  const plainDigits = /^\d*$/.test(whole);
  if (!plainDigits && !(group !== '' && isGrouped(whole, group))) return { fault: 'signs' };
  const digits = plainDigits ? whole : whole.replaceAll(group, '');
  if (digits.length > MOST_DIGITS) return { fault: 'none' };
  return { amount: (BigInt(digits || '0') * MICRO + BigInt((decimals ?? '').padEnd(6, '0'))).toString() };
}
