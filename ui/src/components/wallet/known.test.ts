// What a person is told of accounts and names before something is changed.
import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Account, AccountList, ContactList, RolesPage, Status, WalletPage } from '$lib/api/generated';
import { config } from '$lib/controllers/config.svelte';
import { node } from '$lib/controllers/node.svelte';
import { wallet } from '$lib/controllers/wallet.svelte';
import { emptyNode } from '$lib/state/node';
import TestFrame from '../../TestFrame.svelte';
import AccountSheet from './AccountSheet.svelte';
import ContactSheet from './ContactSheet.svelte';
import CreateSheet from './CreateSheet.svelte';
import RoleSheet from './RoleSheet.svelte';

const account = (id: number, label: string, purposes: string[]) => ({ id, label, address: `pokt1${label}`, purposes, kind: 'words', state: 'open', path: 'm' }) as unknown as Account;
const [main, working, spare] = [account(1, 'main', ['owner', 'application']), account(2, 'working', ['operator', 'gateway']), account(3, 'spare', [])];
let direct: string;

beforeEach(() => {
  direct = 'false';
  const accounts = [main, working, spare];
  wallet.page.value = { accounts, status: { exists: true } } as unknown as WalletPage;
  wallet.onChain.value = { accounts: accounts.map((one) => ({ account: one, on_chain: { spendable: '0', ...(one === working ? { gateway: '5000000000' } : {}) } })) } as AccountList;
  wallet.contacts.value = { contacts: [{ name: 'Exchange', address: 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa', created_at: '' }] } as unknown as ContactList;
  config.page.value = null;
  vi.stubGlobal('fetch', async (url: string) => {
    if (url.endsWith('/config')) return new Response(JSON.stringify({ settings: [{ key: 'gateway.direct_signing', value: direct }], needs_restart: false }));
    return new Promise<Response>(() => {});
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  node.state = emptyNode;
  wallet.page.value = wallet.onChain.value = wallet.contacts.value = null;
});

test('a staked gateway that loses its purpose, to nobody or to another account, is warned of', async () => {
  const { unmount } = render(TestFrame, { part: AccountSheet, given: { account: working, onclose: () => {} } });
  const gateway = () => screen.getByRole('checkbox', { name: /^Gateway/ });
  await screen.findByRole('checkbox', { name: /^Gateway/ });
  expect(screen.queryByTestId('gateway-moves')).toBeNull();
  await fireEvent.click(gateway());
  expect(screen.getByTestId('gateway-moves').textContent).toMatch(/Working key is staked as a gateway with 5,000\.000000 POKT/);
  unmount();
  render(TestFrame, { part: AccountSheet, given: { account: spare, onclose: () => {} } });
  await screen.findByRole('checkbox', { name: /^Gateway/ });
  expect(screen.queryByTestId('gateway-moves')).toBeNull();
  await fireEvent.click(gateway());
  expect(screen.getByTestId('gateway-moves')).toBeTruthy();
});

test('a name in another script that is read as a known one is warned of, contacts and accounts alike', async () => {
  render(TestFrame, { part: ContactSheet, given: { contact: {}, onclose: () => {} } });
  const name = await screen.findByLabelText('Name');
  await fireEvent.input(name, { target: { value: 'Exhange' } });
  expect(screen.queryByTestId('name-alike')).toBeNull();
  await fireEvent.input(name, { target: { value: 'Ехсhange' } });
  expect(screen.getByTestId('name-alike').textContent).toMatch(/looks like “Exchange”/);
  await fireEvent.input(name, { target: { value: 'Wоrking key' } });
  expect(screen.getByTestId('name-alike').textContent).toMatch(/looks like “Working key”/);
});

test('the password of play money is named where it is asked for, and nowhere else', async () => {
  const network = (is_devnet: boolean) => ({ ...emptyNode, status: { network: { is_devnet }, setup: { steps: [{}] } } as unknown as Status });
  node.state = network(true);
  const { unmount } = render(TestFrame, { part: CreateSheet, given: { open: true, purpose: 'check' } });
  expect((await screen.findByTestId('devnet-password')).textContent).toMatch(/keystore\/devnet\.pass/);
  unmount();
  node.state = network(false);
  render(TestFrame, { part: CreateSheet, given: { open: true, purpose: 'check' } });
  await screen.findByLabelText('Wallet password');
  expect(screen.queryByTestId('devnet-password')).toBeNull();
});

const roles = (more: object) => ({ supplier: null, application: null, gateway: null, terms: { application_least: '1000000000' }, ...more }) as unknown as RolesPage;
test('an application says what of its stake can be spent, and whether anybody signs for it', async () => {
  const staking = (more: object) => render(TestFrame, { part: RoleSheet, given: { form: 'application', page: roles(more), onclose: () => {} } });
  const first = staking({});
  expect((await screen.findByTestId('role-above-least')).textContent).toMatch(/above 1,000\.000000 POKT/);
  expect((await screen.findByTestId('role-alone')).textContent).toMatch(/Nobody signs for it yet[\s\S]*gateway\.direct_signing/);
  first.unmount();
  const second = staking({ gateway: { address: 'g', stake: '1' } });
  expect((await screen.findByTestId('role-alone')).textContent).toMatch(/Let your gateway sign/);
  second.unmount();
  const third = staking({ application: { address: 'a', stake: '1', services: ['s'], gateways: ['g'] } });
  await screen.findByTestId('role-above-least');
  expect(screen.queryByTestId('role-alone')).toBeNull();
  third.unmount();
  direct = 'true';
  config.page.value = null;
  staking({});
  await screen.findByTestId('role-above-least');
  await vi.waitFor(() => expect(config.value('gateway.direct_signing')).toBe('true'));
  expect(screen.queryByTestId('role-alone')).toBeNull();
});
