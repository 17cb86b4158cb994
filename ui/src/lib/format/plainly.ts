// A chain's message as lines that people read: every value of it, amounts as amounts, text that was put into bytes as text.

/** `path`: the fields that it lies in, with its own; `at`: its places in the lists among them that have several entries. */
export type Plain = { path: string[]; at: number[] } & ({ amount: string } | { text: string });
/** `whole`: no value is left out. */
export type Plainly = { lines: Plain[]; whole: boolean };

const MOST = 200;
const DEEPEST = 16;

/** In the order of the message, without its own kind; what is empty has no line. */
export function plainly(message: unknown): Plainly {
  const lines: Plain[] = [];
  let whole = true;
  const say = (path: string[], at: number[], what: { amount: string } | { text: string }) => {
    if (lines.length < MOST) lines.push({ path, at, ...what });
    else whole = false;
  };
  const walk = (value: unknown, path: string[], at: number[], depth: number): void => {
    if (value === null || value === undefined || value === '') return;
    if (typeof value !== 'object') return say(path, at, { text: path.at(-1) === 'card' ? (textOf(value) ?? String(value)) : String(value) });
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

/** What base64 says, where it is text. */
function textOf(base64: unknown): string | null {
  if (typeof base64 !== 'string') return null;
  try {
    const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
