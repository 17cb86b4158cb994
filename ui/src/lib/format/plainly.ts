// What of a chain's message nobody reads as it stands: amounts in upokt, and text that was put into bytes.

export type Plain = { name: string; amount: string } | { name: string; text: string };

const MOST = 50;

/** In the order of the message; `name` is the field, with those it lies in. */
export function plainly(message: unknown): Plain[] {
  const found: Plain[] = [];
  const walk = (value: unknown, name: string, depth: number): void => {
    if (found.length >= MOST || depth > 16 || typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) return value.forEach((one) => walk(one, name, depth + 1));
    const coin = value as { denom?: unknown; amount?: unknown };
    if (coin.denom === 'upokt' && typeof coin.amount === 'string' && /^\d{1,38}$/.test(coin.amount)) {
      found.push({ name, amount: coin.amount });
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      const path = name ? `${name}.${key}` : key;
      if (key === 'card' && typeof inner === 'string') {
        const text = textOf(inner);
        if (text) found.push({ name: path, text });
      } else walk(inner, path, depth + 1);
    }
  };
  walk(message, '', 0);
  return found;
}

/** Text with every sign that is not drawn, or that turns the direction of what is around it, written out. */
export const visible = (text: string): string =>
  text.replace(/[\p{Cf}\p{Zl}\p{Zp}]|(?![\n\t])\p{Cc}/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);

/** What base64 says, where it is text. */
function textOf(base64: string): string | null {
  try {
    const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
