import { afterEach, expect, test } from 'vitest';
import type { EarnedSession } from '$lib/api/generated';
import { losses } from './losses.svelte';
import { notices } from './notices.svelte';
import { toasts } from './toasts.svelte';

const session = (id: string, more: Partial<EarnedSession>) =>
  ({ id, start_height: 1201, end_height: 1220, state: 'proof_missed', stage: 'lost', answers: 19, amount: '2136526', lost: '2136526', ...more }) as EarnedSession;
const said = () => toasts.list.map(({ tone, title }) => `${tone} ${title}`);
afterEach(() => toasts.list.forEach((one) => toasts.drop(one.id)));

test('a session that ends badly is said once, and what the chain takes for it once more', () => {
  losses.see(session('a', { state: 'sealed', stage: 'pending', lost: null }));
  expect(said()).toEqual([]);
  losses.see(session('a', {}));
  losses.see(session('a', {}));
  expect(said()).toEqual(['danger Session 1,201–1,220 is not paid']);
  losses.see(session('a', { slash: { height: 1239, amount: '10000000', stake_after: '59990000000' } }));
  expect(said()[1]).toBe('danger A part of the stake was taken');
  expect(toasts.list[1]?.detail).toMatch(/10 POKT of the stake in block 1,239; 59,990 POKT are left/);
});
test('one that was not worth claiming is no alarm', () => {
  losses.see(session('b', { state: 'skipped' }));
  expect(said()).toEqual(['warn Session 1,201–1,220 is not paid']);
});
test('a note that was put away comes back when there is more to say', () => {
  const note = { code: 'answers_lost', fact: '1 session', meaning: '' };
  notices.hide(note);
  expect(notices.isRead(note)).toBe(true);
  expect(notices.isRead({ ...note, fact: '2 sessions' })).toBe(false);
});
