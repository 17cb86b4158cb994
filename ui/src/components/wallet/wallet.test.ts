import { render } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { wallet } from '$lib/controllers/wallet.svelte';
import { ownUse } from '$lib/controllers/sources.svelte';
import type { AccountOnChain, EarnedSession, Movement, UsageSum, WalletPage } from '$lib/api/generated';
import TestFrame from '../../TestFrame.svelte';
import Accounts from './Accounts.svelte';
import Activity from './Activity.svelte';
import Places from './Places.svelte';
import { addressFault } from './address';
import { readCard } from './roles';
import { couldBe } from './purposes';
import { asks, isWhole, normalWords } from './words';

describe('addresses', () => {
  const good = 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa';
  test('what is wrong is said', () => {
    expect(addressFault('')).toMatch(/Enter/);
    expect(addressFault('cosmos1abc')).toMatch(/pokt1/);
    expect(addressFault('pokt1abc')).toMatch(/Too short by 35 characters/);
    expect(addressFault(`${'pokt1'.padEnd(44, 'q')}`)).toMatch(/Too long by 1 character\./);
  });
  test('every single wrong letter is found', () => {
    expect(addressFault(good)).toBeNull();
    for (let at = 5; at < good.length; at += 1) {
      const other = good[at] === 'q' ? 'p' : 'q';
      expect(addressFault(good.slice(0, at) + other + good.slice(at + 1))).toMatch(/letter/);
    }
  });
});

describe('recovery words', () => {
  const words = Array.from({ length: 24 }, (_, at) => `word${at}`);
  test('three different places, the right word among six', () => {
    for (let round = 0; round < 50; round += 1) {
      const questions = asks(words);
      expect(new Set(questions.map((one) => one.index)).size).toBe(3);
      for (const { index, options } of questions) {
        expect(options).toHaveLength(6);
        expect(new Set(options).size).toBe(6);
        expect(options).toContain(words[index]);
      }
    }
  });
  test('as typed or pasted', () => expect(normalWords('  Abandon\nABILITY,able  ')).toEqual(['abandon', 'ability', 'able']));
  test.each([
    ['a list (W08)', (word: string, at: number) => `${at + 1}. ${word}\n`],
    ['the table of hearth wallet export (W08b)', (word: string, at: number) => `${String(at + 1).padStart(2)} ${word.padEnd(14)}${at % 4 === 3 ? '\n' : ''}`],
    ['bullets', (word: string) => `• ${word}\r\n`],
    ['quotes (W13)', (word: string) => `“${word}” `],
  ])('%s is as many words as it shows', (_, line) => expect(normalWords(words.map(line).join(''))).toHaveLength(24));
  test.each([
    ['export --json', (list: string[]) => JSON.stringify({ words: list.join(' ') }, null, 2)],
    ['create --json', (list: string[]) => JSON.stringify({ wallet: { main: 'pokt1abc' }, words: list })],
  ])('what hearth wallet %s printed', (_, print) => expect(normalWords(print(words))).toEqual(words));
  test('15, 18 and 21 words are whole, too (W18)', () => {
    const whole = Array.from({ length: 30 }, (_, at) => at).filter((count) => isWhole(words.concat(words).slice(0, count)));
    expect(whole).toEqual([12, 15, 18, 21, 24]);
  });
});

test('a history without the chain shows the own payments and says what is missing', () => {
  vi.stubGlobal('fetch', () => new Promise(() => {}));
  const standing = { trust: 'unverified', height: 7, age_s: null } as const;
  const movement = { id: '0a', kind: 'sent', direction: 'out', amount: '1000', fee: '1', height: 7, time: null, counterparty: null, memo: null, tx: '0A', session_id: null, standing } as const;
  wallet.history.value = { movements: [movement], total: 1, payments: [], missing: [{ code: 'history_chain_away', message: 'the chain does not answer', details: 'connection refused' }] };
  const { container } = render(Activity);
  expect(container.querySelector('[data-testid=history-missing]')?.textContent).toMatch(/only what this wallet noted.*Details/s);
  expect(container.textContent).toMatch(/Sent/);
  vi.unstubAllGlobals();
});

test('a message is named by what it did, where that is known and went well, and the charge stands beside the fee', () => {
  vi.stubGlobal('fetch', () => new Promise(() => {}));
  const standing = { trust: 'proven', height: 7, age_s: null } as const;
  const movement = (id: string, more: object) => ({ id, kind: 'fee', direction: 'out', amount: '1000', fee: '1', height: 7, time: null, tx: id, standing, ...more }) as unknown as Movement;
  // Those of what failed are not told: it did nothing.
  const movements = [movement('A', { charge: '1000', messages: ['/pocket.service.MsgAddService'] }), movement('B', { messages: ['/pocket.application.MsgDelegateToGateway'] }), movement('C', { messages: [] }), movement('D', {}), movement('E', { kind: 'unstake' }), movement('F', { kind: 'stake', charge: '7' })];
  wallet.history.value = { movements, total: 6, payments: [], missing: [] };
  const { container } = render(Activity);
  const names = [...container.querySelectorAll('li .font-medium')].map((one) => one.textContent);
  expect(names).toEqual(['Service made or changed', 'Gateway may sign', 'Message to the network', 'Message to the network', 'Given up', 'Set aside']);
  expect([...container.querySelectorAll('[data-testid=charge]')].map((one) => one.textContent?.replaceAll(/\s+/g, ' ').trim())).toEqual(['charge in it 0.001000', 'charge 0.000007']);
  wallet.history.value = null;
  vi.unstubAllGlobals();
});

test('what is on its way back says from which role', () => {
  const standing = { trust: 'proven', height: 7, age_s: null } as const;
  const place = (kind: string) => ({ kind, address: 'pokt1a', amount: '5', standing, free_at_height: 9 });
  const { container } = render(TestFrame, { part: Places, given: { balances: { total: '15', spendable: '0', standing, places: ['supplier', 'application', 'gateway'].map(place) } } });
  expect([...container.querySelectorAll('.name')].map((one) => one.textContent)).toEqual(['On its way back from earning', 'On its way back from buying answers', 'On its way back from your gateway']);
});

test('what is spendable is named by the account it lies with, whatever that account is for now', () => {
  const standing = { trust: 'proven', height: 7, age_s: null } as const;
  // The owner's purpose has moved from "main" to "savings".
  const accounts = [['main', 'pokt1a', 'spendable', '1000000'], ['working', 'pokt1b', 'spendable_working', '2000000'], ['savings', 'pokt1c', 'spendable_main', '30000000'], ['old', 'pokt1d', 'spendable', '4000000']];
  wallet.page.value = { accounts: accounts.map(([label, address]) => ({ label, address })) } as unknown as WalletPage;
  const places = accounts.map(([, address, kind, amount]) => ({ kind, address, amount, standing, free_at_height: null }));
  const reserved = ['spendable', 'spendable', 'spendable_main'].map((place) => ({ reserved_for: 'fees', place, amount: '5' }));
  const { container } = render(TestFrame, { part: Places, given: { balances: { total: '37000000', spendable: '37000000', standing, places, reserved } } });
  const plainly = (text: string | null | undefined) => text?.replaceAll(/[\u2066-\u2069]/g, '').trim();
  expect(plainly(container.querySelector('.detail')?.textContent)).toBe('1.000000 Main key, 2.000000 Working key, 30.000000 savings, 4.000000 old');
  expect([...container.querySelectorAll('dt span')].map((one) => plainly(one.textContent))).toEqual(['Spendable', 'Spendable', 'savings']);
  wallet.page.value = null;
});

describe('accounts', () => {
  const address = 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa';
  const account = (id: number, more: object) => ({ id, label: `account ${id}`, kind: 'raw', path: null, address: `${address.slice(0, -1)}${id}`, purposes: [], state: 'locked', ...more });
  const page = (more: object) => ({
    status: { exists: true, main_locked: true, working_locked: false, main_address: null, working_address: null, words_checked: true },
    accounts: [account(1, { label: 'main', kind: 'words', path: "m/44'/118'/0'/0/0", purposes: ['owner', 'application'] }), account(2, { label: 'node', kind: 'armored', purposes: ['operator'], state: 'open' }), account(3, { label: 'cold', kind: 'watch', state: 'elsewhere' })],
    unattended: true,
    sealed_apart: true,
    has_words: true,
    ...more,
  });
  const shown = (more: object = {}) => render(TestFrame, { part: Accounts, given: { page: page(more) as unknown as WalletPage, oncheck: () => {} } }).container.textContent ?? '';

  test('each says what it is for, where its key is from, and whether it is here', () => {
    const text = shown();
    expect(text).toMatch(/Main key unlocked|Main key locked/);
    expect(text).toMatch(/Owner, Application[\s\S]*m\/44'\/118'\/0'\/0\/0/);
    expect(text).toMatch(/node unlocked[\s\S]*Operator[\s\S]*exported key of pocketd/);
    expect(text).toMatch(/cold watched[\s\S]*Used for nothing[\s\S]*address only/);
  });
  test('a file on the disk that opens the whole wallet is said', () => {
    expect(shown()).not.toMatch(/opens everything/);
    expect(shown({ sealed_apart: false })).toMatch(/opens everything/);
  });
});

describe('services', () => {
  test('what this node did of one is summed from what settled and what was asked, and from nothing else', () => {
    const session = (service: string, answers: number, settled: string | null) => ({ service, answers, settled }) as unknown as EarnedSession;
    const asked = (model: string, requests: number, cost: string) => ({ model, counts: { requests, cost } }) as unknown as UsageSum;
    const sessions = [session('a', 3, '70'), session('a', 4, null), session('b', 9, '1000')];
    expect(ownUse('a', sessions, [asked('pocket/a', 2, '5'), asked('pocket/a', 1, '6'), asked('a', 7, '0'), asked('pocket/b', 1, '1')])).toEqual({ sessions: 2, answers: 7, settled: '70', asked: 3, cost: '11' });
    expect(ownUse('c', sessions, [])).toEqual({ sessions: 0, answers: 0, settled: '0', asked: 0, cost: '0' });
  });
  test('a card is one object, or it is said that it is none', () => {
    expect([' ', '{"a": [1]}', '[1]', 'null', '"a"', '{"a"'].map(readCard)).toEqual([null, { a: [1] }, 'wrong', 'wrong', 'wrong', 'wrong']);
  });
});

test('a key is offered for what it is staked for, unless whoever does it here is staked, too', () => {
  const unknown = { spendable: '0', supplier: null, gateway: null, application: null };
  const here = (address: string, purposes: string[], on_chain = {}) => ({ account: { address, purposes }, on_chain: { ...unknown, ...on_chain } }) as unknown as AccountOnChain;
  const staked = { ...unknown, gateway: '5', supplier: { owner: 'x', stake: '6', services: [] } };
  expect(couldBe('new', staked, [here('old', ['operator', 'gateway'])])).toEqual(['operator', 'gateway']);
  expect(couldBe('new', staked, [here('old', ['operator', 'gateway'], { gateway: '5' })])).toEqual(['operator']);
  expect(couldBe('new', staked, [here('new', ['operator'], staked)])).toEqual(['gateway']);
  expect(couldBe('new', unknown, [])).toEqual([]);
});
