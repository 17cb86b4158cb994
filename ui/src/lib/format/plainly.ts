// A chain's message as lines that people read: every value of it, amounts as amounts, text that was put into bytes as text.

type Said = { amount: string } | { text: string; bytes?: number };
/**
 * `path`: the fields that it lies in, with its own; `at`: its places in the lists among them that have several entries;
 * `bytes`: how much a document has that its owner wrote.
 */
export type Plain = { path: string[]; at: number[] } & Said;
/** `whole`: no value is left out. */
export type Plainly = { lines: Plain[]; whole: boolean };

const MOST = 200;
const DEEPEST = 16;
/** Of a document: the chain takes 256 KiB of one, which nobody reads in a list. */
const LONGEST = 8000;

/** In the order of the message, without its own kind; what is empty has no line. */
export function plainly(message: unknown): Plainly {
  const lines: Plain[] = [];
  let whole = true;
  const say = (path: string[], at: number[], what: Said) => {
    if (lines.length < MOST) lines.push({ path, at, ...what });
    else whole = false;
  };
  const walk = (value: unknown, path: string[], at: number[], depth: number): void => {
    if (value === null || value === undefined || value === '') return;
    if (typeof value !== 'object') {
      const card = path.at(-1) === 'card' ? cardOf(value) : { text: String(value) };
      if (card.text.length > LONGEST) whole = false;
      return say(path, at, { ...card, text: card.text.slice(0, LONGEST) });
    }
    if (depth > DEEPEST) return void (whole = false);
    if (Array.isArray(value)) return value.forEach((one, place) => walk(one, path, value.length > 1 ? [...at, place + 1] : at, depth + 1));
    const coin = coinOf(value);
    if (coin) return say(path, at, coin);
    for (const [key, inner] of Object.entries(value)) if (depth > 0 || key !== '@type') walk(inner, [...path, key], at, depth + 1);
  };
  walk(message, [], [], 0);
  return { lines, whole };
}

/** An amount, in POKT where it is some of it. */
function coinOf(value: object): { amount: string } | { text: string } | null {
  const { denom, amount, ...more } = value as { denom?: unknown; amount?: unknown };
  if (typeof denom !== 'string' || typeof amount !== 'string' || Object.keys(more).length > 0) return null;
  return denom === 'upokt' && /^\d{1,38}$/.test(amount) ? { amount } : { text: `${amount} ${denom}` };
}

/** Text with every sign that is not drawn, or that turns the direction of what is around it, written out. */
export const visible = (text: string): string =>
  text.replace(/[\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u17b4\u17b5\u2800\u034f\u{e0100}-\u{e01ef}]|(?![\n\t])\p{Cc}/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);

/** A document that was put into bytes: what it says where it is text, and how long it is. */
function cardOf(base64: unknown): { text: string; bytes?: number } {
  const text = String(base64);
  try {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    return { text: decoded(bytes) ?? text, bytes: bytes.length };
  } catch {
    return { text };
  }
}

function decoded(bytes: Uint8Array): string | null {
  try {
    // A mark of the byte order would be swallowed, and is a sign like any other here.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
