import { render } from '@testing-library/svelte';
import { afterEach, expect, test } from 'vitest';
import type { Download, Model } from '$lib/api/generated';
import { models } from '$lib/controllers/models.svelte';
import { node } from '$lib/controllers/node.svelte';
import { clock } from '$lib/format/figures';
import { emptyNode, reduce } from '$lib/state/node';
import { overwriteGetLocale } from '$lib/paraglide/runtime';
import Downloads from './Downloads.svelte';

const failed: Download = {
  cid: 'bafyreiold',
  title: 'Busy One',
  state: 'failed',
  have_bytes: 0,
  size_bytes: null,
  bytes_per_second: null,
  source: 'http://attic:4327',
  error: 'http://attic:4327 asks to be left alone for 60 minutes',
  retry_at: null,
};

let locale: 'en' | 'de' = 'en';
overwriteGetLocale(() => locale);
afterEach(() => {
  node.state = emptyNode;
  locale = 'en';
});

const words = (change: Partial<Download>) => {
  node.state = reduce(emptyNode, { type: 'download', ...failed, ...change });
  const { container, unmount } = render(Downloads);
  const text = container.querySelector('[data-cid=bafyreiold]')?.textContent ?? '';
  unmount();
  return text;
};

test('what nobody serves is no default, and what is here goes first', () => {
  const one = (id: string, kind: string, state: string, suppliers: number | null = null) => ({ id, kind, state, suppliers, task: 'chat' }) as unknown as Model;
  const [stranger, empty, served, here] = [one('pocket/aaa', 'network', 'unavailable'), one('pocket/bbb', 'network', 'unavailable', 0), one('pocket/ccc', 'network', 'ready', 3), one('zzz', 'local', 'ready')];
  const chosen = (...list: Model[]) => {
    models.list.value = list;
    return models.choose(null)?.id ?? null;
  };
  expect(chosen(stranger, empty)).toBeNull();
  expect(chosen(stranger, empty, served)).toBe('pocket/ccc');
  expect(chosen(stranger, served, here)).toBe('zzz');
  expect(chosen(stranger, { ...here, state: 'unavailable' })).toBe('zzz');
  expect(models.defaults).not.toContain(stranger);
  // What a person chose stays.
  expect(models.choose('pocket/aaa')).toBe(stranger);
  models.list.value = null;
});

test('a download whose gateway wants to be left alone says when it is tried again (P29)', () => {
  const retry_at = '2026-11-29T13:05:00Z';
  const text = words({ retry_at });
  expect(text).toContain(`Next try ${clock(retry_at)}.`);
  expect(text).toContain('60 minutes');
  expect(words({})).not.toContain('Next try');
});

test('why a download failed is said in the language of the page, with its figures', () => {
  const reason = { code: 'download_disk', message: 'the model needs 98.4 MB more', remedy: null, values: { needed_bytes: '98400000', left_bytes: '1000000' } };
  expect(words({ reason, error: reason.message })).toMatch(/The model needs 98\sMB more, and the disk has 1\.0\sMB to spare\./);
  locale = 'de';
  const german = words({ reason, error: reason.message });
  expect(german).toMatch(/Das Modell braucht noch 98\sMB/);
  expect(german).not.toContain('needs');
});
