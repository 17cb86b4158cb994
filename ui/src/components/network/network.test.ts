import { render } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BoughtAnswer } from '$lib/api/generated';
import { network } from '$lib/controllers/network.svelte';
import Receipts from './Receipts.svelte';

const bought = (more: Partial<BoughtAnswer>, receipt: object = {}) =>
  ({
    asked_at: '2026-11-21T19:46:00Z', cost: '262782', status: 200, bytes: 5, total_ms: 9, outcome: 'complete', ...more,
    receipt: { id: 'r1', charge: 'paid', service: 'llm-r1-70b', supplier: 's', application: 'pokt1p4hyq70rvup7h5muqpez7ky3629su2q3lsdkpd', session_id: 'x', session_start: 1201, session_end: 1220, verified_batches: 1, failed_tries: 0, ...receipt },
  }) as BoughtAnswer;

beforeEach(() => vi.stubGlobal('fetch', () => new Promise(() => {})));
afterEach(() => vi.unstubAllGlobals());
const show = (answers: BoughtAnswer[], total = answers.length) => {
  network.receipts.value = { answers, total };
  return render(Receipts).container;
};
const rows = (container: HTMLElement) => [...container.querySelectorAll('tbody tr')].map((row) => row.textContent?.replaceAll(/[\s\u00a0]+/g, ' '));

test('each says when, for whom, what it cost, whether that is paid, and its id', () => {
  const [paid, unknown, unpaid, older] = rows(
    show([
      bought({}),
      bought({ outcome: 'cancelled' }, { id: 'r2', charge: 'unknown' }),
      bought({ outcome: 'failed', cost: null, error: 'timed out' }, { id: 'r3', charge: 'unpaid' }),
      bought({}, { id: null, charge: undefined }),
    ]),
  );
  for (const words of [/21 Nov 2026|Nov 21, 2026/, /1,201–1,220/, /llm-r1-70b/, /pokt1p4hy…dkpd/, /0\.262782/, /Paid/, /r1/]) expect(paid).toMatch(words);
  expect(unknown).toMatch(/≤ 0\.262782.*Not known yet.*stopped/);
  expect(unpaid).toMatch(/–.*Not paid.*failed.*Details.*timed out/);
  expect(older).toMatch(/0\.262782.*Paid.*–/);
});
test('each says who asked, by the name that a key had, and an older one that it does not know', () => {
  const [owner, program, key, older] = rows(
    show([
      bought({ asker: 'owner' }),
      bought({ asker: 'local' }, { id: 'r2' }),
      bought({ asker: 'key', key_id: 'k1', key_name: 'editor' }, { id: 'r3' }),
      bought({}, { id: 'r4' }),
    ]),
  );
  expect(owner).toMatch(/This page and commands/);
  expect(program).toMatch(/Programs without a key/);
  expect(key).toMatch(/editor/);
  expect(older).toMatch(/not known ?1,201/);
});
test('more are read only if there are more, and none is said in words', () => {
  expect(show(Array.from({ length: 20 }, (_, at) => bought({}, { id: `r${at}` })), 21).textContent).toMatch(/21 answers[^]*Show more/);
  expect(show([bought({})], 1).textContent).not.toMatch(/Show more/);
  expect(show([]).textContent).toMatch(/No receipts yet/);
});
