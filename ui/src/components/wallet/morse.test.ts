import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MorseAccount, RolesPage, WalletPage } from '$lib/api/generated';
import { wallet } from '$lib/controllers/wallet.svelte';
import TestFrame from '../../TestFrame.svelte';
import MorseSheet from './MorseSheet.svelte';
import Roles from './Roles.svelte';

const main = 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa';
const page = {
  status: { exists: true, main_locked: true },
  accounts: [{ id: 1, label: 'main', kind: 'words', path: null, address: main, purposes: ['owner'], state: 'locked' }],
} as unknown as WalletPage;
const account = (more: Partial<MorseAccount> = {}): MorseAccount => ({
  address: '1A0BB8623F40D2A9BEAC099A0BAFDCAE3C5D8288', state: 'claimable', balance: '1234000000', stake: '0', is_enabled: true, is_free: true,
  standing: { trust: 'proven', height: 7, age_s: 1 }, ...more,
});
const order = { type: 'claim_morse', claim: { '@type': '/pocket.migration.MsgClaimMorseAccount' } };
const review = {
  review_id: 'r', total: '0', max_fee: '1000', needs_password: true,
  steps: [{ purpose: 'owner', account: main, amount: '0', messages: [order.claim] }],
  notes: [{ code: 'morse_comes', text: 'English of the node', values: { amount: '1234000000', from: '1A0B', to: main } }, { code: 'free', text: 'English of the node', values: {} }],
};
let shown: MorseAccount;
let sent: { url: string; body: Record<string, unknown> | null }[] = [];
const to = (path: string) => sent.find((one) => one.url.endsWith(path))?.body;

beforeEach(() => {
  sent = [];
  shown = account();
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    sent.push({ url, body: init.body ? JSON.parse(init.body as string) : null });
    const answers: [RegExp, unknown][] = [[/\/morse\/claim$/, { account: shown, order }], [/\/morse/, shown], [/\/review$/, review], [/\/wallet\/transactions/, { transactions: [], total: 0 }], [/\/roles\/send$/, { transactions: [{ state: 'placed' }], total: 1 }]];
    return new Response(JSON.stringify(answers.find(([path]) => path.test(url))?.[1] ?? {}), { status: 200 });
  });
});
afterEach(() => vi.unstubAllGlobals());

async function opened(key: string, passphrase?: string) {
  render(TestFrame, { part: MorseSheet, given: { open: true, page } });
  await fireEvent.input(await screen.findByLabelText('Key of Morse'), { target: { value: key } });
  if (passphrase) await fireEvent.input(await screen.findByLabelText('Passphrase of the export'), { target: { value: passphrase } });
  await fireEvent.click(screen.getByRole('button', { name: 'Open' }));
  return screen.findByTestId('morse-account');
}

test('a key is opened, what it has is shown, the claim is looked at and sent', async () => {
  const found = await opened('{"kdf":"scrypt"}', 'secret');
  expect(found.textContent).toMatch(/1A0BB862.*1,234/s);
  expect(to('/wallet/morse')).toEqual({ key: '{"kdf":"scrypt"}', passphrase: 'secret' });
  await fireEvent.click(screen.getByRole('button', { name: 'Look, then claim' }));
  const password = await screen.findByLabelText(/password/i);
  expect(to('/wallet/morse/claim')).toMatchObject({ claim: { type: 'account' } });
  expect(to('/roles/review')).toEqual(order);
  const text = screen.getByTestId('morse-sheet').textContent ?? '';
  expect(text).toMatch(/1,234[.,0]* POKT of the Morse account 1A0B come to/);
  expect(text).toMatch(/takes no fee/);
  expect(text).not.toMatch(/English of the node/);
  await fireEvent.input(password, { target: { value: 'pass' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Sign' }));
  await screen.findByText('Claimed');
  expect(to('/roles/send')).toEqual({ review_id: 'r', password: 'pass' });
  // The keys went where they were needed and nowhere else.
  for (const one of sent.filter((one) => one.url.includes('/roles/'))) expect(JSON.stringify(one.body)).not.toMatch(/scrypt|secret/);
});

test('what was staked asks for a service before it is claimed', async () => {
  shown = account({ staked_as: 'application', stake: '500000000' });
  const found = await opened('00'.repeat(64));
  expect(found.textContent).toMatch(/500.*staked as an application/s);
  await fireEvent.click(screen.getByRole('button', { name: 'Look, then claim' }));
  expect(to('/wallet/morse/claim')).toBeUndefined();
  await fireEvent.input(screen.getByLabelText('Service'), { target: { value: ' svc ' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Look, then claim' }));
  await vi.waitFor(() => expect(to('/wallet/morse/claim')).toMatchObject({ claim: { type: 'application', service: 'svc' } }));
});

test.each([
  ['claimed', account({ state: 'claimed', claimed_height: 9, claimed_by: main }), /Claimed in block 9/],
  ['unknown', account({ state: 'unknown' }), /knows no such account/],
  ['switched off', account({ is_enabled: false }), /takes no claims/],
])('what is %s is said and not claimed', async (_, given, words) => {
  shown = given;
  const found = await opened('00'.repeat(64));
  expect(found.textContent).toMatch(words);
  expect(screen.queryByRole('button', { name: 'Look, then claim' })).toBeNull();
});

test('each of several suppliers has its own buttons, and the order names its operator', async () => {
  const [one, two] = [main, `${main.slice(0, -1)}b`];
  const supplier = (operator: string) => ({ operator, owner: main, is_own: true, stake: '2000000', services: [], leaving: null });
  wallet.roles.value = {
    supplier: supplier(one),
    operators: [{ address: one, label: 'first', supplier: supplier(one) }, { address: two, label: 'second', supplier: supplier(two) }],
    application: null, gateway: null, relay_url: null,
    terms: { supplier_least: '1', application_least: '1', gateway_least: '1', staking_charge: '1', service_charge: '1', blocks_per_session: 20, block_time_ms: 1000 },
  } as unknown as RolesPage;
  const { container } = render(TestFrame, { part: Roles });
  const rows = [...container.querySelectorAll<HTMLElement>('[data-testid=role-supplier]')];
  expect(rows.map((row) => row.dataset.operator)).toEqual([one, two]);
  expect(rows[1]?.textContent).toMatch(/second/);
  const giveUp = [...(rows[1]?.querySelectorAll('button') ?? [])].at(-1) as HTMLElement;
  await fireEvent.click(giveUp);
  await vi.waitFor(() => expect(to('/roles/review')).toEqual({ type: 'unstake', role: 'supplier', operator: two }));
});

test('from a claim that was looked at one goes back to the key, which is forgotten', async () => {
  await opened('00'.repeat(64));
  await fireEvent.click(screen.getByRole('button', { name: 'Look, then claim' }));
  await screen.findByRole('button', { name: 'Sign' });
  await fireEvent.click(screen.getByRole('button', { name: 'Back' }));
  expect(((await screen.findByLabelText('Key of Morse')) as HTMLInputElement).value).toBe('');
});
