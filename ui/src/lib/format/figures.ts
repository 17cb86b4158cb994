// Numbers that are not money: heights, bytes, durations, clocks, addresses.
import { localeTag } from './locale';

const number = (value: number, options?: Intl.NumberFormatOptions) =>
  new Intl.NumberFormat(localeTag(), options).format(value);

/** `871,209` */
export const integer = (value: number): string => number(value, { maximumFractionDigits: 0 });
export const height = integer;

/** Session by its first and last block, with an en dash. */
export const span = (start: number, end: number): string => `${height(start)}–${height(end)}`;

/** Decimal bytes: `8.99 GB`, `98 MB`. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let at = 0;
  let rest = value;
  while (rest >= 999.5 && at < units.length - 1) {
    rest /= 1000;
    at += 1;
  }
  const digits = at >= 3 ? (rest < 10 ? 2 : 1) : at === 2 && rest < 10 ? 1 : 0;
  return `${number(rest, { minimumFractionDigits: digits, maximumFractionDigits: digits })}\u00a0${units[at]}`;
}

/** `57.4 MB/s` */
export const speedOfBytes = (value: number): string =>
  `${number(value / 1e6, { minimumFractionDigits: 1, maximumFractionDigits: 1 })}\u00a0MB/s`;

/** One decimal in receipts, none in lists. */
export const tokensPerSecond = (value: number, digits: 0 | 1): string =>
  number(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** `1.2 s`, `11 s`, `1 min 51 s`, `3 d 4 h` */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${number(seconds, { minimumFractionDigits: seconds < 1 ? 2 : 1, maximumFractionDigits: seconds < 1 ? 2 : 1 })}\u00a0s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 3600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return pair(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  return pair(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h');
}

/** For what counts up: no decimals, `1 s` at least. */
export const wholeSeconds = (ms: number): string => (ms < 9500 ? `${Math.max(1, Math.round(ms / 1000))}\u00a0s` : duration(Math.max(ms, 10_000)));

function pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big}\u00a0${bigUnit}` : `${big}\u00a0${bigUnit} ${small}\u00a0${smallUnit}`;
}

/** `19:46` in local time. */
export function clock(time: string | number | Date): string {
  return new Intl.DateTimeFormat(localeTag(), { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(time));
}

/** `20 Nov` */
export function day(time: string | number | Date, utc = false): string {
  return new Intl.DateTimeFormat(localeTag(), {
    day: 'numeric',
    month: 'short',
    ...(utc ? { timeZone: 'UTC' } : {}),
  }).format(new Date(time));
}

/** `20 Nov 2026, 19:46` */
export function dateAndClock(time: string | number | Date): string {
  return new Intl.DateTimeFormat(localeTag(), {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).format(new Date(time));
}

/** How many local midnights lie between then and now: 0 today, 1 yesterday. */
export function daysAgo(time: string, now = new Date()): number {
  const midnight = (date: Date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  return Math.round((midnight(now) - midnight(new Date(time))) / 86_400_000);
}

/** First nine and last four letters of an address or CID; copying gives all. */
export function short(text: string): string {
  return text.length <= 15 ? text : `${text.slice(0, 9)}…${text.slice(-4)}`;
}

/** Groups of four, as they are read aloud and compared. */
export function groups(text: string): string[] {
  return text.match(/.{1,4}/g) ?? [];
}

/** When a future block is due. */
export function whenBlock(target: number, head: { height: number; time: string; block_time_ms?: number | null }): {
  blocks: number;
  at: string | null;
} {
  const blocks = Math.max(0, target - head.height);
  const mean = head.block_time_ms;
  if (!mean) return { blocks, at: null };
  return { blocks, at: clock(new Date(head.time).getTime() + blocks * mean) };
}

/** A stranger's text for a line of ours: marks of direction in it end with it. */
export const isolated = (text: string): string => `\u2068${text}\u2069`;
