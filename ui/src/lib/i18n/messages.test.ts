// Every message is there in every language, with the same inputs, and every message is used.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

type Variant = { declarations: string[]; selectors: string[]; match: Record<string, string> }[];
type Value = string | Variant;

function read(locale: string): Record<string, Value> {
  const files = readdirSync(`messages/${locale}`);
  return Object.assign({}, ...files.map((file) => JSON.parse(readFileSync(`messages/${locale}/${file}`, 'utf8'))));
}
const texts = (value: Value): string[] => (typeof value === 'string' ? [value] : value.flatMap((one) => Object.values(one.match)));
const inputs = (value: Value): string[] => [...new Set(texts(value).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((hit) => hit[1] ?? '')))].sort();

function sources(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === 'paraglide') return [];
    if (statSync(path).isDirectory()) return sources(path);
    return /\.(ts|svelte)$/.test(name) ? [readFileSync(path, 'utf8')] : [];
  });
}

const en = read('en');
const de = read('de');

describe('messages', () => {
  test('the same keys in both languages', () => expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort()));
  test('the same inputs in both languages, and no empty text', () => {
    const differing = Object.keys(en).filter((key) => inputs(de[key] ?? '').join() !== inputs(en[key] ?? '').join());
    expect(differing).toEqual([]);
    const empty = Object.keys(en).filter((key) => [en, de].some((all) => texts(all[key] ?? '').some((text) => !text.trim())));
    expect(empty).toEqual([]);
  });
  test('plural forms have one and other', () => {
    for (const value of [...Object.values(en), ...Object.values(de)]) {
      if (typeof value === 'string' || !value[0]?.selectors.includes('plural')) continue;
      expect(Object.keys(value[0].match)).toEqual(['plural=one', 'plural=other']);
    }
  });
  test('no exclamation, no oops, no please', () => {
    for (const text of Object.values(en).flatMap(texts)) expect(text).not.toMatch(/!|\boops\b|\bplease\b/i);
  });
  test('every message is used', () => {
    const used = new Set(sources('src').flatMap((text) => [...text.matchAll(/(?<![\w.])m\.(\w+)\b/g)].map((hit) => hit[1])));
    expect(Object.keys(en).filter((key) => !used.has(key))).toEqual([]);
  });
});
