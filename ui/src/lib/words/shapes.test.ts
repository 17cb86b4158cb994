// The shapes are those that the node writes, read from its source; each is said in both languages.
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { overwriteGetLocale } from '$lib/paraglide/runtime';
import { errorWords } from './errors';
import { refusals } from './refusals';
import { avoidedWhy, fitFact, originName, roleNote, skippedWhy, trustSource } from './shapes';

let locale: 'en' | 'de' = 'en';
overwriteGetLocale(() => locale);
beforeEach(() => (locale = 'en'));
const source = (path: string): string => readFileSync(`../node/${path}`, 'utf8').split('#[cfg(test)]')[0] ?? '';

const shapes: [string, (text: string) => { shown: string | null }, string, string][] = [
  ['0.4 GB needed, 21.0 GB free', fitFact, '0.4 GB needed, 21 GB free', '0,4 GB nötig, 21 GB frei'],
  ['agreed by 2 endpoints', trustSource, 'agreed by 2 endpoints', 'von 2 Endpunkten gleich genannt'],
  ['configuration', trustSource, 'configuration', 'Konfiguration'],
  ["this computer's devnet", trustSource, "this computer's devnet", 'Devnet dieses Computers'],
  ['network file', trustSource, 'network file', 'Netzdatei'],
  ['on its way back, last block 871260', roleNote, 'on its way back, last block 871,260', 'auf dem Rückweg, letzter Block 871.260'],
  ['it failed of late and rests', avoidedWhy, 'It failed of late and rests.', 'Er ist zuletzt gescheitert und ruht.'],
  ['it signed something else than it sent', avoidedWhy, 'It signed something else than it sent.', 'Er hat etwas anderes signiert als gesendet.'],
  ['it is here already', skippedWhy, 'It is here already.', 'Er ist schon da.'],
  ['it cannot be read: expected value', skippedWhy, 'It cannot be read.', 'Er ist nicht lesbar.'],
  ['built-in', (text) => ({ shown: originName(text) }), 'built-in', 'eingebaut'],
  ['environment HEARTH_API', (text) => ({ shown: originName(text) }), 'the environment variable HEARTH_API', 'Umgebungsvariable HEARTH_API'],
  ['/etc/hearth/config.toml', (text) => ({ shown: originName(text) }), '/etc/hearth/config.toml', '/etc/hearth/config.toml'],
];
test.each(shapes)('%s', (text, words, english, german) => {
  expect(words(text).shown).toBe(english);
  locale = 'de';
  expect(words(text).shown).toBe(german);
});

describe('the node writes them so', () => {
  test.each([
    ['api/src/parts/adapters/model_store.rs', '{} needed, {} free'],
    ['api/src/parts/adapters/network.rs', 'agreed by {} endpoints'],
    ['api/src/parts/adapters/network.rs', 'on its way back, last block {unstakes_at}'],
    ['api/src/parts/adapters/network.rs', 'it failed of late and rests'],
    ['api/src/parts/adapters/network.rs', 'it signed something else than it sent'],
    ['chats/src/import.rs', 'it is here already'],
    ['chats/src/import/chatgpt.rs', 'it has no messages with text'],
    ['chats/src/import/own.rs', 'it cannot be read: {error}'],
    ['chats/src/import/tree.rs', 'its messages go in a circle'],
    ['app/src/node.rs', '"configuration"'],
    ['app/src/node.rs', "this computer's devnet"],
    ['app/src/node.rs', '"network file"'],
    ['app/src/config/layers.rs', '"built-in"'],
    ['app/src/config/layers.rs', '"flag"'],
  ])('%s: %s', (path, text) => expect(source(path)).toContain(text));
});

test('another shape is kept for Details on a German page', () => {
  locale = 'de';
  for (const words of [skippedWhy, fitFact, trustSource, roleNote, avoidedWhy]) expect(words('it fell over')).toEqual({ shown: null, details: 'it fell over' });
});

describe('why a file is refused', () => {
  test.each(Object.keys(refusals))('%s', (code) => {
    const words = () => errorWords({ code, message: 'English of the node', remedy: null }).title;
    const english = words();
    locale = 'de';
    expect(words()).not.toMatch(/\b(?:the|is|and)\b/);
    expect(words()).not.toBe(english);
  });
});
