// The check of three words: which to ask for, and what to offer beside the right one.

export type Ask = { index: number; options: string[] };

function shuffled<T>(list: T[], random: () => number): T[] {
  const out = [...list];
  for (let at = out.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [out[at], out[other]] = [out[other] as T, out[at] as T];
  }
  return out;
}

/** Three different places among the words, each with the right word and five others in a random order. */
export function asks(words: string[], random: () => number = Math.random): Ask[] {
  const places = shuffled([...words.keys()], random).slice(0, 3).sort((a, b) => a - b);
  return places.map((index) => {
    const right = words[index] ?? '';
    const others = shuffled([...new Set(words)].filter((word) => word !== right), random).slice(0, 5);
    return { index, options: shuffled([right, ...others], random) };
  });
}

/** What `hearth wallet export --json` and `create --json` print has the words in a field of their own. */
const inJson = (text: string): string | null => /^\{[^]*"words"\s*:\s*(?:"([^"]*)"|\[([^\]]*)\])[^]*\}$/.exec(text.trim())?.slice(1).find(Boolean) ?? null;

/** Words as typed or pasted: any white space, any case. Numbers and bullets before them are none. */
export const normalWords = (text: string): string[] =>
  (inJson(text)?.replaceAll('"', ' ') ?? text).toLowerCase().split(/[\s,]+/).filter((word) => /\p{L}/u.test(word));

/** Whether a wallet's words may be so many. */
export const isWhole = (words: string[]): boolean => [12, 15, 18, 21, 24].includes(words.length);
