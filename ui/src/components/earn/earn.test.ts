import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { EarnedSession, Earning, Status } from '$lib/api/generated';
import { earn } from '$lib/controllers/earn.svelte';
import { node } from '$lib/controllers/node.svelte';
import { router } from '$lib/controllers/router.svelte';
import { emptyNode } from '$lib/state/node';
import MoneyNotes from '../shell/MoneyNotes.svelte';
import EarnView from '../views/EarnView.svelte';
import Losses from './Losses.svelte';
import Sessions from './Sessions.svelte';
import Suppliers from './Suppliers.svelte';
import WhyNot from './WhyNot.svelte';

const notes = [
  { code: 'slashed', fact: '10 POKT in block 123, 59990 POKT are left', meaning: '' },
  { code: 'answers_lost', fact: '2 sessions with 120 answers', meaning: '' },
  { code: 'no_funds', fact: '0.2 POKT', meaning: '' },
];
const earning = (state: Earning['state']): Earning => ({ state, since: '2026-11-21T19:00:00Z', serving: 0, reasons: [], notes });
const lost = {
  id: 'a', service: 's', application: 'app', start_height: 1201, end_height: 1220, state: 'proof_missed', stage: 'lost', answers: 19, compute_units: 1, amount: '2136526',
  lost: '2136526', estimated: false, why: 'the endpoint was down', proof_opens: 1235, proof_closes: 1239, updated_at: '2026-11-21T19:00:00Z',
  slash: { height: 1239, amount: '10000000', stake_after: '59990000000' },
} as EarnedSession;

beforeEach(() => vi.stubGlobal('fetch', () => new Promise(() => {})));
afterEach(() => {
  vi.unstubAllGlobals();
  node.state = emptyNode;
  earn.readSessions.value = null;
});

test.each(['off', 'serving'] as const)('notes stand on the Earn page while earning is %s', async (state) => {
  node.state = { ...emptyNode, status: { earning: earning(state), head: null, network: {}, wallet: {}, setup: {} } as unknown as Status };
  const { container } = render(EarnView);
  const found = [...container.querySelectorAll('[data-reason]')].map((one) => `${one.getAttribute('data-reason')} ${['danger', 'warn', 'info'].find((tone) => one.querySelector(`.tile.${tone}`))}`);
  expect(found).toEqual(['slashed danger', 'answers_lost warn', 'no_funds info']);
  expect(screen.getByTestId('why').textContent).toMatch(/A part of the stake/);
});

test('lost money and money at risk are said on the other pages, until they are put away', async () => {
  router.go('wallet', null, { keepFocus: true });
  const { container } = render(MoneyNotes, { notes });
  const shown = () => [...container.querySelectorAll('[data-code]')].map((one) => `${one.getAttribute('data-code')} ${one.getAttribute('role')}`);
  expect(shown()).toEqual(['slashed alert', 'answers_lost alert']);
  await fireEvent.click(screen.getByRole('button', { name: 'Hide: Answers are lost' }));
  expect(shown()).toEqual(['slashed alert']);
  router.go('earn', null, { keepFocus: true });
  await vi.waitFor(() => expect(shown()).toEqual([]));
});

test('a lost session shows its answers, its money, why, and what the chain took of the stake', () => {
  earn.readSessions.value = { sessions: [lost], total: 1 };
  const whole = (container: HTMLElement) => container.textContent?.replaceAll(/[\s\u00a0]+/g, ' ');
  const slash = /The chain took 10 POKT of the stake in block 1,239; 59,990 POKT are left\./;
  const list = whole(render(Losses, { lost: { stage: 'lost', amount: '2136526', sessions: 1 }, late: 0 }).container);
  for (const words of [/Proof missed/, /19 answers/, /− 2\.136526 POKT/, /did not reach the chain while it was due \(blocks 1,235–1,239\)/, slash, /the endpoint was down/]) expect(list).toMatch(words);
  const table = whole(render(Sessions, { head: null }).container);
  for (const words of [/Proof missed/, /s19–/, /− 2\.136526/, /while it was due/, slash]) expect(table).toMatch(words);
});

const [ours, theirs, owner] = ['pokt1ours', 'pokt1theirs', 'pokt1owner'];
const two: Earning = {
  ...earning('idle'),
  notes: [ours, theirs].map((operator) => ({ code: 'record_changed', fact: `${operator}: it leaves the network`, meaning: '' })),
  suppliers: [
    { operator: ours, owner: ours, state: 'serving', serving: 2, reasons: [], notes: [{ code: 'record_changed', fact: 'it leaves the network', meaning: '' }] },
    { operator: theirs, owner, state: 'off', serving: 0, reasons: [{ code: 'key_locked', meaning: '' }], notes: [{ code: 'record_changed', fact: 'it leaves the network', meaning: '' }] },
  ],
};

test('each of several suppliers says its state, its owner and what stands in its way', () => {
  const { container } = render(Suppliers, { suppliers: two.suppliers ?? [], sums: [{ operator: theirs, settled: '2000000', sessions: 1 }] });
  const rows = [...container.querySelectorAll<HTMLElement>('[data-supplier]')].map((row) => [row.dataset.supplier, row.dataset.state, row.querySelector('[data-reason]')?.getAttribute('data-reason') ?? null]);
  expect(rows).toEqual([[ours, 'serving', null], [theirs, 'off', 'key_locked']]);
  expect(container.textContent).toMatch(/2\.00 POKT settled/);
  expect(container.textContent?.match(/Owner/g)?.length).toBe(1);
});

test('one supplier looks as it always did, and the same note of two is said of each', async () => {
  const status = (now: Earning) => ({ ...emptyNode, status: { earning: now, head: null, network: {}, wallet: {}, setup: {} } as unknown as Status });
  node.state = status({ ...two, notes: [], suppliers: two.suppliers?.slice(0, 1) });
  expect(render(EarnView).container.querySelector('[data-testid=suppliers]')).toBeNull();
  const asked = vi.spyOn(earn, 'acknowledge').mockResolvedValue();
  const { container } = render(WhyNot, { earning: two });
  const buttons = [...container.querySelectorAll('[data-testid=acknowledge]')];
  expect(buttons.length).toBe(2);
  for (const button of buttons) await fireEvent.click(button);
  expect(asked.mock.calls).toEqual([[ours], [theirs]]);
  asked.mockRestore();
});

test('two suppliers in one session are two rows, each with its supplier', () => {
  const of = (supplier: string) => ({ ...lost, supplier });
  earn.readSessions.value = { sessions: [of(ours), of(theirs)], total: 2 };
  const { container } = render(Sessions, { head: null });
  expect(container.querySelectorAll('tbody tr').length).toBe(2);
  for (const words of [/Supplier/, /pokt1ours/, /pokt1theirs/]) expect(container.textContent).toMatch(words);
});
