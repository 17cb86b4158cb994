// Finds words in a text as a person would: no matter how they are written, and over the ends of lines.

/** Where a piece of the page ends: no hit goes over it. */
export const EDGE = '\u0000';

/** The text with small letters and plain spaces; every letter stays at its place. */
export function fold(text: string): string {
  let folded = '';
  // By code unit: some letters are longer when they are small, and would move what follows.
  for (let at = 0; at < text.length; at += 1) {
    const letter = text.charAt(at);
    const small = /\s/.test(letter) ? ' ' : letter.toLowerCase();
    folded += small.length === 1 ? small : letter;
  }
  return folded;
}

const wanted = (query: string): string => fold(query).trim().replaceAll(/ +/g, ' ');

export type Hit = [from: number, to: number];

function each(folded: string, word: string, most: number): Hit[] {
  const hits: Hit[] = [];
  for (let at = folded.indexOf(word); at >= 0 && hits.length < most; at = folded.indexOf(word, at + word.length)) hits.push([at, at + word.length]);
  return hits;
}

/** Places of the words as they stand, at most so many. */
export function phraseHits(text: string, query: string, most: number): Hit[] {
  const phrase = wanted(query);
  return phrase ? each(fold(text), phrase, most) : [];
}

/** Places of any of the words, in the order of the text. */
export function wordHits(text: string, query: string, most: number): Hit[] {
  const folded = fold(text);
  const words = [...new Set(wanted(query).split(' '))].filter((word) => word !== '');
  const all = words.flatMap((word) => each(folded, word, most)).sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  const hits: Hit[] = [];
  for (const hit of all) if (hit[0] >= (hits.at(-1)?.[1] ?? 0)) hits.push(hit);
  return hits.slice(0, most);
}
