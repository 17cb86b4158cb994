// Amounts are integers of upokt in decimal strings; they are never turned into floating point numbers.
import { localeTag } from './locale';

const MICRO = 1_000_000n;
const NBSP = '\u00a0';
const MINUS = '\u2212';

/** A figure in parts, so that the last four of six decimals can be drawn dimmer. */
export type Money = { sign: '' | '+' | '−'; whole: string; point: string; strong: string; dim: string };

function upokt(amount: string): bigint {
  return /^[0-9]+$/.test(amount) ? BigInt(amount) : 0n;
}

const parts = () => {
  const found = new Intl.NumberFormat(localeTag()).formatToParts(1234567.5);
  const point = found.find((part) => part.type === 'decimal')?.value ?? '.';
  return { point };
};

function whole(value: bigint): string {
  return new Intl.NumberFormat(localeTag()).format(value);
}

/** Six decimals: wallet, receipts, session table. */
export function exact(amount: string, sign: Money['sign'] = ''): Money {
  const value = upokt(amount);
  const decimals = (value % MICRO).toString().padStart(6, '0');
  return { sign, whole: whole(value / MICRO), point: parts().point, strong: decimals.slice(0, 2), dim: decimals.slice(2) };
}

/** The same as one text: `1,284.615888`. */
export function exactText(amount: string, sign: Money['sign'] = ''): string {
  const money = exact(amount, sign);
  const figure = `${money.whole}${money.point}${money.strong}${money.dim}`;
  return sign === '' ? figure : `${sign === '+' ? '+' : MINUS}${NBSP}${figure}`;
}

/** Two decimals, cut and never rounded: summaries. A little that would read 0.00 is said to be `< 0.01`. */
export function summary(amount: string, sign: Money['sign'] = ''): string {
  const value = upokt(amount);
  const { point } = parts();
  if (value > 0n && value < 10_000n) return `<${NBSP}0${point}01`;
  const decimals = ((value % MICRO) / 10_000n).toString().padStart(2, '0');
  const figure = `${whole(value / MICRO)}${point}${decimals}`;
  return sign === '' || value === 0n ? figure : `${sign === '+' ? '+' : MINUS}${NBSP}${figure}`;
}

/** Four decimals, rounded up: prices and costs. */
export function price(amount: string): string {
  const value = upokt(amount);
  const up = (value + 99n) / 100n;
  const decimals = (up % 10_000n).toString().padStart(4, '0');
  return `${whole(up / 10_000n)}${parts().point}${decimals}`;
}

/** The amount without decimals that say nothing: `250` or `0.5`, for a button. */
export function plain(amount: string, grouped = true): string {
  const value = upokt(amount);
  const front = grouped ? whole(value / MICRO) : (value / MICRO).toString();
  const decimals = (value % MICRO).toString().padStart(6, '0').replace(/0+$/, '');
  return decimals === '' ? front : `${front}${parts().point}${decimals}`;
}

export function isZero(amount: string): boolean {
  return upokt(amount) === 0n;
}

export function add(...amounts: string[]): string {
  return amounts.reduce((sum, one) => sum + upokt(one), 0n).toString();
}

/** `a − b` that never falls below zero. */
export function subtract(a: string, b: string): string {
  const rest = upokt(a) - upokt(b);
  return (rest < 0n ? 0n : rest).toString();
}

/** Whether `spent` and `more` together are more than `cap`; what costs nothing never is. */
export const exceeds = (cap: string, spent: string, more: string): boolean => upokt(more) > 0n && upokt(spent) + upokt(more) > upokt(cap);

/** The share of `part` in `all` in percent, for the width of a bar. */
export function percentOf(part: string, all: string): number {
  const total = upokt(all);
  return total === 0n ? 0 : Number((upokt(part) * 10_000n) / total) / 100;
}

/** Tens of thousands of POKT fit a float well enough for the height of a bar in a chart. */
export function forChart(amount: string): number {
  return Number(upokt(amount)) / 1e6;
}
