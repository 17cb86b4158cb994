// A payment whose answer did not come, and one that was made before.
import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { OwnTransaction, WalletPage } from '$lib/api/generated';
import { madeBefore } from '$lib/controllers/sent.svelte';
import { wallet } from '$lib/controllers/wallet.svelte';
import TestFrame from '../../TestFrame.svelte';
import SendSheet from './SendSheet.svelte';

const main = 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa';
const payment = (id: number, state: OwnTransaction['state'], minutesAgo = 0): OwnTransaction => ({
  id, state, time: new Date(Date.now() - minutesAgo * 60_000).toISOString(), reason: 'payment', account: main, counterparty: main, amount: '1500000',
  memo: null, why: null, tx: 'AB'.repeat(32), fee: '1', shared_by: 1, height: state === 'placed' || state === 'included' ? 77 : null, last_height: null, messages: [],
});
let transactions: OwnTransaction[] = [];
/** What the node answers when it is asked to send. */
let sending: () => Response | Promise<Response>;
let toOwn = false;
const refusal = (code: string, status = 503) => new Response(JSON.stringify({ error: { code, message: 'English of the node', remedy: null } }), { status });

beforeEach(() => {
  transactions = [];
  toOwn = false;
  wallet.page.value = { status: { exists: true }, accounts: [{ id: 1, label: 'main', kind: 'words', address: main, purposes: ['owner'], state: 'open' }] } as unknown as WalletPage;
  const review = { review_id: 'r', from: 'main', from_address: main, to: main, amount: '1500000', fee: '1', balance_before: '9000000', balance_after: '7000000', standing: { trust: 'proven', height: 7 }, first_payment_to_address: false, needs_password: false };
  vi.stubGlobal('fetch', async (url: string) => {
    const path = url.split('?')[0] ?? '';
    if (path.endsWith('/send/review')) return new Response(JSON.stringify({ ...review, to_own: toOwn }));
    if (path.endsWith('/wallet/send')) return sending();
    if (path.endsWith('/wallet/transactions')) return new Response(JSON.stringify({ transactions, total: transactions.length }));
    if (path.endsWith('/contacts')) return new Response(JSON.stringify({ contacts: [] }));
    return new Promise<Response>(() => {});
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

async function reviewed() {
  render(TestFrame, { part: SendSheet, given: { open: true } });
  await fireEvent.input(await screen.findByLabelText('To'), { target: { value: main } });
  await fireEvent.input(screen.getByLabelText(/Amount/), { target: { value: '1.5' } });
  await fireEvent.submit(document.querySelector('#send-fill')!);
  await screen.findByRole('button', { name: /^Send 1.5/ });
}
const press = () => fireEvent.submit(document.querySelector('#send-review')!);

test('what the node does not know yet is looked for until a block has it', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 20 });
  transactions = [payment(1, 'included', 90)];
  sending = () => {
    transactions = [payment(2, 'signed'), ...transactions];
    return refusal('not_seen');
  };
  await reviewed();
  expect(screen.queryByTestId('same-again'), 'long ago').toBeNull();
  await press();
  const note = await screen.findByTestId('send-looking');
  await vi.waitFor(() => expect(note.dataset.end).toBe('on_its_way'));
  expect(screen.queryByTestId('error')).toBeNull();
  expect(screen.getByRole('button', { name: /^Send 1.5/ }).getAttribute('aria-disabled')).toBe('true');
  transactions = [payment(2, 'placed'), payment(1, 'included', 90)];
  await vi.advanceTimersByTimeAsync(4000);
  await screen.findByText(/It is in block 77/);
});

test('a payment of before is not taken for one that never arrived, and an end that is bad is said', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 20 });
  transactions = [payment(1, 'included', 90)];
  sending = () => Promise.reject(new TypeError('gone'));
  await reviewed();
  await press();
  await screen.findByText(/Do not send again before/);
  await vi.advanceTimersByTimeAsync(4000);
  expect(screen.queryByText(/It is in block/)).toBeNull();
  transactions = [payment(2, 'expired'), ...transactions];
  await vi.advanceTimersByTimeAsync(4000);
  expect((await screen.findByTestId('send-over')).textContent).toMatch(/none ever will/);
});

test('the same of a moment ago is warned of, and an old error does not stand under a new review', async () => {
  transactions = [payment(1, 'included', 5)];
  sending = () => refusal('no_review', 409);
  await reviewed();
  expect((await screen.findByTestId('same-again')).textContent).toMatch(/The same was sent 5 minutes ago, in block 77\./);
  await press();
  expect((await screen.findByTestId('error')).textContent).toMatch(/This was sent already.*started anew/);
  await fireEvent.click(screen.getByRole('button', { name: 'Back' }));
  await fireEvent.submit(document.querySelector('#send-fill')!);
  await screen.findByRole('button', { name: /^Send 1.5/ });
  expect(screen.queryByTestId('error')).toBeNull();
});

test('the same is of the same amount, address and memo; one on its way counts before one that is through', () => {
  const order = { to: main, amount: '1500000', memo: null };
  const [open, old, other] = [payment(3, 'waiting', 50), payment(2, 'included', 31), { ...payment(1, 'included', 1), memo: 'rent' }];
  expect(madeBefore([old, other], order)).toBeNull();
  expect(madeBefore([old, other], { ...order, memo: 'rent' })).toBe(other);
  expect(madeBefore([payment(4, 'placed', 1), open], order)).toBe(open);
  expect(madeBefore([payment(4, 'failed', 1)], order)).toBeNull();
});

test('what goes to an own account is not said to leave the wallet', async () => {
  sending = () => refusal('not_seen');
  await reviewed();
  expect(screen.getByText('leaves this wallet for good')).toBeTruthy();
  await fireEvent.click(screen.getByRole('button', { name: 'Back' }));
  toOwn = true;
  await fireEvent.submit(document.querySelector('#send-fill')!);
  expect((await screen.findByTestId('to-own')).textContent).toBe('goes to Main key, a key of this wallet: only the fee is spent');
  expect(screen.queryByText('leaves this wallet for good')).toBeNull();
});
