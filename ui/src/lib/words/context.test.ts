import { expect, test } from 'vitest';
import { isAs } from '$lib/state/presets';
import { LONG_PASTE, pastedFiles, pastedLong, withoutOnce } from '$lib/state/paste';
import { wholeSeconds } from '$lib/format/figures';
import { contextWords, isWorthSaying } from './context';
import { presetFacts } from './presets';

test('the context: exact or about, with a warning from 85 percent on and words when it is full', () => {
  expect(contextWords({ tokens: 1240, limit: 8192, is_exact: true })).toMatchObject({ short: '1,240 of 8,192 tokens', tone: 'plain', warning: null });
  expect(contextWords({ tokens: 1240, limit: 8192, is_exact: false }).short).toBe('≈\u00a01,240 of 8,192 tokens');
  expect(contextWords({ tokens: 849, limit: 1000, is_exact: true }).tone).toBe('plain');
  expect(contextWords({ tokens: 850, limit: 1000, is_exact: true })).toMatchObject({ tone: 'warn', percent: 85, warning: expect.stringMatching(/the answer ends/) });
  expect(contextWords({ tokens: 1400, limit: 1000, is_exact: true })).toMatchObject({ tone: 'full', percent: 100, warning: expect.stringMatching(/more than the model can read/) });
  expect(contextWords({ tokens: 7, limit: null, is_exact: false })).toMatchObject({ short: '≈\u00a07 tokens', warning: null });
});
test('an empty chat with a limit that nobody knows says nothing', () => {
  expect(isWorthSaying({ tokens: 3, limit: null, is_exact: false }, true)).toBe(false);
  expect(isWorthSaying({ tokens: 3, limit: null, is_exact: false }, false)).toBe(true);
  expect(isWorthSaying({ tokens: 3, limit: 10, is_exact: false }, true)).toBe(true);
});

test('a chat is as a preset when its values are; a preset without a model goes with every one', () => {
  const preset = { id: 'p', name: 'P', system_prompt: 'Be brief.', model: null, params: { temperature: 0, seed: null } };
  const chat = { params: { temperature: 0 }, system_prompt: 'Be brief.', model: 'any' };
  expect(isAs(preset, chat)).toBe(true);
  expect(isAs(preset, { ...chat, params: { temperature: 0.1 } })).toBe(false);
  expect(isAs(preset, { ...chat, params: {} })).toBe(false);
  expect(isAs(preset, { ...chat, system_prompt: '' })).toBe(false);
  expect(isAs({ ...preset, model: 'other' }, chat)).toBe(false);
});
test('what a preset sets, in one line', () => {
  const facts = presetFacts({ system_prompt: 'Be brief.', params: { temperature: 0.25, max_tokens: 100, seed: null }, model: 'm' }, () => 'The Model');
  expect(facts).toBe('“Be brief.” · Temperature 0.25 · Longest answer 100 · The Model');
  expect(presetFacts({ system_prompt: '', params: {} }, () => null)).toMatch(/model's own way/);
  expect(presetFacts({ system_prompt: 'x'.repeat(500), params: {} }, () => null).length).toBeLessThan(130);
});

const clipboard = (text: string, files: File[] = []) => ({ getData: () => text, files: files as unknown as FileList });
test('files are pasted, but not the picture that an office program lays beside a text', () => {
  const file = new File(['x'], 'a.txt');
  expect(pastedFiles(clipboard('', [file]))).toEqual([file]);
  expect(pastedFiles(clipboard('the text', [file]))).toEqual([]);
  expect(pastedFiles(null)).toEqual([]);
});
test('a long text may become a file, as the field holds it', () => {
  expect(pastedLong(clipboard('short'))).toBeNull();
  const long = 'line\r\n'.repeat(LONG_PASTE);
  expect(pastedLong(clipboard(long))).toBe(long.replaceAll('\r\n', '\n'));
  expect(withoutOnce('a long b long', 'long ')).toBe('a b long');
  expect(withoutOnce('a', 'long')).toBe('a');
});
test('what counts up has no decimals and no zero', () => {
  expect([0, 400, 1500, 9499, 9500, 11_400, 111_000].map(wholeSeconds)).toEqual(['1 s', '1 s', '2 s', '9 s', '10 s', '11 s', '1 min 51 s'].map((one) => one.replace(/ (?=s|min$|min )/g, '\u00a0')));
});
