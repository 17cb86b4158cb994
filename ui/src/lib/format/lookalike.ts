// Names made to be taken for others: letters of another script that are drawn alike, marks, and signs that are not drawn.

/** Letters that are drawn as a Latin one, or as a digit that is taken for one. */
const drawnAs: [string, string][] = [
  ['абсԁеһіјкӏмнорԛѕтуѵԝхзьг', 'abcdehijklmhopqstyvwx3br'],
  ['αβεζηικμνορτυχωϲϳ', 'abeznikuvoptuxwcj'],
  ['ɑɡıօցոսհլ', 'agiognuhl'],
  ['01|!', 'olll'],
  ['i', 'l'],
];
const letters = new Map(drawnAs.flatMap(([from, to]) => [...from].map((letter, at): [string, string] => [letter, to[at] ?? letter])));

/** Capitals are drawn in another way than their small letters: В is a B, в is not. */
const capitals = new Map([...'АВЕКМНОРСТУХІЈЅԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧ'].map((letter, at): [string, string] => [letter, 'abekmhopctyxijsqwabezhikmnoptyx'[at] ?? letter]));
const drawn = (letter: string): string => letters.get(letter) ?? letter;

/** What a name looks like: two that are read as the same have the same. */
export function looksOf(name: string): string {
  const bare = name.normalize('NFKD').replace(/[\p{M}\p{Cf}\p{Cc}\s\u115f\u1160\u3164\uffa0]/gu, '');
  return [...bare].map((letter) => drawn(drawn(capitals.get(letter) ?? letter.toLowerCase()))).join('');
}

type Named = { name: string; address: string };

/** The one of another address whose name is taken for this one. */
export const lookAlike = <One extends Named>(given: Named, known: readonly One[]): One | null =>
  looksOf(given.name) ? (known.find((one) => one.address !== given.address && looksOf(one.name) === looksOf(given.name)) ?? null) : null;
