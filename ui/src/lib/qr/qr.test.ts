// Codes as the node draws them (`codes.fixture.json`, made by its crate) are read again, however they are photographed;
// frames come together in any order, and what is wrong with them is said.
import { describe, expect, test } from 'vitest';
import codes from './codes.fixture.json';
import { crc32, PIECE_BYTES, Series, toFrames } from './frames';
import { find, type Picture } from './picture';

type Code = (typeof codes)[number];
const named = (name: string): Code => codes.find((one) => one.name === name) as Code;

type Matrix = { size: number; dark: (x: number, y: number) => boolean };

function matrixOf({ size, rows }: Code): Matrix {
  const bits = rows.split(' ').map((row) => [...row].map((digit) => parseInt(digit, 16).toString(2).padStart(4, '0')).join(''));
  return { size, dark: (x, y) => bits[y]?.[x] === '1' };
}
/** A photograph of a code: `place` says which module a dot shows. */
function photo(code: Code, width: number, height: number, place: (x: number, y: number) => [number, number], light: (x: number, y: number) => number = () => 1): Picture {
  const { dark, size } = matrixOf(code);
  const data = Uint8ClampedArray.from({ length: width * height * 4 }, (_, byte) => {
    if (byte % 4 === 3) return 255;
    const at = Math.floor(byte / 4);
    const [x, y] = [at % width, Math.floor(at / width)];
    const [mx, my] = place(x, y).map(Math.floor) as [number, number];
    const isInside = mx >= 0 && my >= 0 && mx < size && my < size;
    return Math.round((isInside && dark(mx, my) ? 40 : 230) * light(x, y));
  });
  return { width, height, data };
}

describe('pictures', () => {
  test('what is no code says nothing', () => {
    const of = (value: (at: number) => number): Picture => ({ width: 300, height: 200, data: Uint8ClampedArray.from({ length: 240_000 }, (_, at) => (at % 4 === 3 ? 255 : value(at))) });
    expect(find(of(() => 200))).toBeNull();
    expect(find(of((at) => ((at * 2_654_435_761) >>> 24) & 255))).toBeNull();
  });
  const upright = (scale: number, left: number, top: number) => (x: number, y: number): [number, number] => [(x - left) / scale, (y - top) / scale];
  test.each(codes)('$name is found on a screen', (code) => {
    const side = (code.size + 8) * 3;
    expect(find(photo(code, side, side + 20, upright(3, 12, 17)))).toBe(code.text);
  });
  test.each([15, 90, 160, 180, 270])('turned by %i degrees', (degrees) => {
    const code = named('a frame');
    const [cos, sin] = [Math.cos((degrees * Math.PI) / 180) / 5, Math.sin((degrees * Math.PI) / 180) / 5];
    const turned = (x: number, y: number): [number, number] => [(x - 300) * cos - (y - 300) * sin + code.size / 2, (x - 300) * sin + (y - 300) * cos + code.size / 2];
    expect(find(photo(code, 600, 600, turned))).toBe(code.text);
  });
  test('held at an angle, under a lamp', () => {
    const code = named('a frame');
    const tilted = (x: number, y: number): [number, number] => {
      const depth = 1 + (x - 300) * 0.0003 + (y - 300) * 0.0002;
      return [((x - 300) / depth) / 5.5 + code.size / 2, ((y - 300) / depth) / 5.5 + code.size / 2];
    };
    expect(find(photo(code, 620, 620, tilted, (x) => 0.25 + (0.75 * x) / 620))).toBe(code.text);
  });
});

describe('frames', () => {
  const file = JSON.stringify({ body: { memo: 'Grüße' }, text: 'x'.repeat(700) });
  const frames = toFrames(file);
  const taken = (...lines: string[]) => {
    const series = new Series();
    return { series, said: lines.map((line) => series.take(line)) };
  };

  test('a file goes out and comes back, in any order', () => {
    expect(frames.length).toBe(Math.ceil(new TextEncoder().encode(file).length / PIECE_BYTES));
    expect(frames.every((one) => one.length <= 300)).toBe(true);
    const { series, said } = taken(...[...frames].reverse().map((one) => ` ${one}\n`));
    expect([said, series.missing, series.text()]).toEqual([frames.map(() => 'taken'), [], file]);
  });
  test('a short one is one frame, in the form that is written down', () => {
    expect(toFrames('{"a":1}')).toEqual([`HTX1/1/1/${crc32(new TextEncoder().encode('{"a":1}')).toString(16).padStart(8, '0')}/eyJhIjoxfQ`]);
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
  test('what is missing is named, what is doubled changes nothing', () => {
    const { series, said } = taken(frames[0] ?? '', frames[2] ?? '', frames[0] ?? '');
    expect([said, series.missing, series.text()]).toEqual([['taken', 'taken', 'doubled'], frames.flatMap((_, at) => (at === 0 || at === 2 ? [] : [at + 1])), null]);
  });
  test('frames of another file, of a newer form, of nothing of the kind and damaged ones are told apart', () => {
    const [first = ''] = frames;
    const [other = ''] = toFrames(`${file} `);
    expect(taken(first, other, 'HTX2/1/1/00000000/AA', 'https://example.com', first.slice(0, -4) + '!!!!', 'HTX1/5/4/00000000/AA', 'HTX1/1/999/00000000/AA').said).toEqual(['taken', 'other', 'newer', 'foreign', 'damaged', 'damaged', 'damaged']);
    expect(taken(first, `${first.slice(0, -4)}AAAA`).said).toEqual(['taken', 'damaged']);
  });
  test('pieces that do not make the file are no file', () => {
    const broken = frames.map((one, at) => (at === 1 ? `${one.slice(0, -4)}AAAA` : one));
    const { series } = taken(...broken);
    expect([series.missing, series.text()]).toEqual([[], null]);
  });
});
