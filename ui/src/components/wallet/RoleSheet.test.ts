import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Earning, RolesPage } from '$lib/api/generated';
import { sources } from '$lib/controllers/sources.svelte';
import { router } from '$lib/controllers/router.svelte';
import { wallet } from '$lib/controllers/wallet.svelte';
import WhyNot from '../earn/WhyNot.svelte';
import TestFrame from '../../TestFrame.svelte';
import RoleSheet from './RoleSheet.svelte';
import Roles from './Roles.svelte';

const page = {
  supplier: null, application: null, gateway: null, relay_url: 'https://home.example',
  terms: { supplier_least: '1', application_least: '1', gateway_least: '1', staking_charge: '1', service_charge: '1', blocks_per_session: 20, block_time_ms: 1000 },
} as unknown as RolesPage;
let asked: { url: string; body: unknown }[] = [];
const to = (path: string) => asked.filter((one) => one.url.endsWith(path));

beforeEach(() => {
  asked = [];
  sources.services.value = null;
  vi.stubGlobal('fetch', async (url: string, init?: { body?: string }) => {
    asked.push({ url, body: init?.body ? JSON.parse(init.body) : null });
    if (url.includes('/roles/services')) return new Response(JSON.stringify({ services: [{ id: 'svc-a', name: 'A', compute_units: 1, owner: 'x', is_own: false }], total: 1 }));
    if (url.endsWith('/config')) return new Response(JSON.stringify({ settings: [{ key: 'miner.services.mine', value: 'm' }], needs_restart: false }));
    if (url.includes('/wallet/transactions')) return new Response(JSON.stringify({ transactions: [], total: 0 }));
    if (url.endsWith('/roles/review')) return new Response(JSON.stringify({ review_id: 'r', steps: [], notes: [], total: '0', max_fee: '1', needs_password: false }));
    if (url.endsWith('/roles/send')) return new Response(JSON.stringify({ error: { code: 'no_review', message: 'English of the node', remedy: null } }), { status: 409 });
    return new Promise<Response>(() => {});
  });
});
afterEach(() => vi.unstubAllGlobals());

test('a stake begins with the own address, offers the services of the network, and says that an address is missing', async () => {
  render(TestFrame, { part: RoleSheet, given: { form: 'supplier', page, onclose: () => {} } });
  const url = (await screen.findByLabelText('Where relays arrive')) as HTMLInputElement;
  expect(url.value).toBe('https://home.example');
  const service = screen.getByLabelText('Service') as HTMLInputElement;
  await vi.waitFor(() => expect([...(service.list?.options ?? [])].map((one) => one.value)).toEqual(['svc-a']));
  await fireEvent.input(service, { target: { value: 'svc-a' } });
  await fireEvent.input(url, { target: { value: ' ' } });
  await fireEvent.submit(document.querySelector('#role-fill')!);
  expect((await screen.findByRole('alert')).textContent).toMatch(/The address is missing/);
  expect(to('/roles/review')).toHaveLength(0);
  await fireEvent.input(url, { target: { value: 'https://b.example' } });
  await fireEvent.submit(document.querySelector('#role-fill')!);
  await screen.findByRole('button', { name: 'Sign' });
  expect(to('/roles/review')[0]?.body).toMatchObject({ services: [{ service: 'svc-a', url: 'https://b.example' }] });
});

test('a review that is used up can be left or looked at again, and its error goes with it', async () => {
  const onclose = vi.fn();
  render(TestFrame, { part: RoleSheet, given: { form: 'unstake_supplier', page, onclose } });
  await screen.findByRole('button', { name: 'Sign' });
  expect(screen.queryByRole('button', { name: 'Back' })).toBeNull();
  await fireEvent.submit(document.querySelector('#role-review')!);
  expect((await screen.findByTestId('error')).textContent).toMatch(/This was sent already/);
  await fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
  await vi.waitFor(() => expect(to('/roles/review')).toHaveLength(2));
  await vi.waitFor(() => expect(screen.queryByTestId('error')).toBeNull());
  await fireEvent.submit(document.querySelector('#role-review')!);
  await fireEvent.click(await screen.findByRole('button', { name: 'Back' }));
  expect(onclose).toHaveBeenCalledOnce();
});

test('what lacks a stake for the own services leads to the form, with the services to stake for', async () => {
  const supplier = { operator: 'a', owner: 'a', is_own: true, stake: '5', services: [{ service: 'other', urls: ['https://o.example'], shares: [] }], leaving: null };
  wallet.roles.value = { ...page, supplier } as unknown as RolesPage;
  const earning = { state: 'off', serving: 0, reasons: [{ code: 'no_staked_service', meaning: '' }], notes: [] } as unknown as Earning;
  render(WhyNot, { earning });
  await fireEvent.click(screen.getByRole('button', { name: 'Stake to earn' }));
  expect([router.page, router.rest]).toEqual(['wallet', 'stake']);
  render(TestFrame, { part: Roles });
  const services = (await screen.findAllByLabelText('Service')) as HTMLInputElement[];
  expect(services.map((one) => one.value)).toEqual(['other', 'mine']);
  expect(router.rest).toBeNull();
  wallet.roles.value = null;
});

test('a change whose answer did not come is followed to its end, step by step', async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 20 });
  const messages = [{ '@type': '/pocket.gateway.MsgUnstakeGateway', address: 'a' }];
  const own = (id: number, state: string, of: object[], reason = 'role') => ({ id, state, time: new Date().toISOString(), reason, account: 'a', amount: '0', shared_by: 1, messages: of });
  const other = [{ '@type': '/pocket.application.MsgUnstakeApplication', address: 'a' }];
  const step = { purpose: 'owner', account: 'a', amount: '0' };
  let transactions = [own(1, 'included', messages)];
  const answer = { review_id: 'r', steps: [{ ...step, messages }, { ...step, messages: other }], notes: [], total: '0', max_fee: '1', needs_password: false };
  vi.stubGlobal('fetch', async (url: string) => {
    if (url.endsWith('/roles/review')) return new Response(JSON.stringify(answer));
    if (url.includes('/wallet/transactions')) return new Response(JSON.stringify({ transactions, total: transactions.length }));
    if (url.endsWith('/roles/send')) {
      transactions = [own(3, 'waiting', other), own(2, 'placed', messages), ...transactions];
      throw new TypeError('killed');
    }
    return new Promise<Response>(() => {});
  });
  render(TestFrame, { part: RoleSheet, given: { form: 'unstake_gateway', page, onclose: () => {} } });
  const sign = await screen.findByRole('button', { name: 'Sign' });
  await fireEvent.submit(document.querySelector('#role-review')!);
  await screen.findByText(/In a block so far: 1 of 2/);
  expect(sign.getAttribute('aria-disabled')).toBe('true');
  expect(screen.queryByTestId('error')).toBeNull();
  transactions = [own(3, 'included', other), ...transactions.slice(1)];
  await vi.advanceTimersByTimeAsync(4000);
  await screen.findByText('The network has it.');
  vi.useRealTimers();
});

test('a change that ended badly after the node came back says that not all of it is done', async () => {
  const messages = [{ '@type': '/pocket.gateway.MsgUnstakeGateway', address: 'a' }];
  let transactions: object[] = [];
  const answer = { review_id: 'r', steps: [{ purpose: 'owner', account: 'a', amount: '0', messages }], notes: [], total: '0', max_fee: '1', needs_password: false };
  vi.stubGlobal('fetch', async (url: string) => {
    if (url.endsWith('/roles/review')) return new Response(JSON.stringify(answer));
    if (url.includes('/wallet/transactions')) return new Response(JSON.stringify({ transactions, total: transactions.length }));
    if (url.endsWith('/roles/send')) {
      transactions = [{ id: 2, state: 'failed', why: 'out of luck', time: new Date().toISOString(), reason: 'role', account: 'a', amount: '0', shared_by: 1, messages }];
      return new Response(JSON.stringify({ error: { code: 'stopping', message: 'English of the node', remedy: null } }), { status: 503 });
    }
    return new Promise<Response>(() => {});
  });
  render(TestFrame, { part: RoleSheet, given: { form: 'unstake_gateway', page, onclose: () => {} } });
  await screen.findByRole('button', { name: 'Sign' });
  await fireEvent.submit(document.querySelector('#role-review')!);
  expect((await screen.findByTestId('role-outcome')).textContent).toMatch(/Not all of it is done[\s\S]*out of luck/);
});
