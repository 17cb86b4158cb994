// What earning still needs, from what is known; what is not known is not called missing.
import { describe, expect, test } from 'vitest';
import type { ConfigPage, NetworkPage, RolesPage, Status } from '$lib/api/generated';
import { needsOf, nextOf, type Known, type NeedCode } from './needs';

const status = (more: object = {}): Status =>
  ({
    network: { name: 'mainnet', chain_id: 'pocket', is_devnet: false },
    setup: { done: true, steps: [] },
    head: { height: 1 },
    chain_problem: null,
    earning: { state: 'off', reasons: [], notes: [] },
    wallet: { exists: true, words_checked: true },
    ...more,
  }) as unknown as Status;
const config = (values: Record<string, string>, needs_restart = false): ConfigPage =>
  ({ settings: Object.entries(values).map(([key, value]) => ({ key, value })), needs_restart }) as unknown as ConfigPage;
const terms = { supplier_least: '59500000000' };
const known = (more: Partial<Known> = {}): Known => ({
  status: status(),
  network: { trust: { height: 1, hash: 'AB', source: 'agreed by 2 endpoints' } } as unknown as NetworkPage,
  roles: { supplier: null, terms } as unknown as RolesPage,
  balances: { places: [{ kind: 'spendable_main', amount: '1000000' }] } as unknown as Known['balances'],
  models: [{ kind: 'local', task: 'chat' }] as unknown as Known['models'],
  config: config({ 'miner.public_url': 'https://a', 'miner.services.svc': 'm' }),
  ...more,
});
const states = (given: Known) => Object.fromEntries(needsOf(given).map((need) => [need.code, need.state]));

describe('what earning needs', () => {
  test('the next act is the first that is missing', () => {
    const next = (more: Partial<Known>): NeedCode | null => nextOf(needsOf(known(more)));
    expect(next({ status: status({ chain_problem: { code: 'chain_unreachable' } }) })).toBe('chain');
    expect(next({ status: status({ chain_problem: { code: 'trust_conflict' } }) })).toBe('chain');
    expect(next({ status: status({ wallet: { exists: false, words_checked: false } }), roles: null, balances: null })).toBe('wallet');
    expect(next({ models: [] })).toBe('model');
    expect(next({ config: config({ 'miner.public_url': 'https://a' }) })).toBe('service');
    expect(next({ config: config({ 'miner.services.svc': 'm' }) })).toBe('url');
    expect(next({ config: config({ 'miner.public_url': 'https://a', 'miner.services.svc': 'm' }, true) })).toBe('restart');
    expect(next({})).toBe('money');
    const rich = { places: [{ kind: 'spendable_main', amount: '60000000000' }] } as unknown as Known['balances'];
    expect(next({ balances: rich })).toBe('stake');
    const staked = { supplier: { leaving: null }, terms } as unknown as RolesPage;
    expect(next({ roles: staked })).toBe('start');
    expect(next({ roles: staked, status: status({ earning: { state: 'idle', reasons: [] } }) })).toBeNull();
  });
  test('what nobody knows yet is not missing, and an agreed block is advised against', () => {
    const blank = states(known({ network: null, roles: null, balances: null, models: null, config: null, status: status({ head: null }) }));
    expect(blank).toEqual({ chain: 'unknown', trust: 'unknown', wallet: 'met', backup: 'met', model: 'unknown', service: 'unknown', url: 'unknown', money: 'unknown', stake: 'unknown', start: 'missing' });
    expect(states(known()).trust).toBe('advised');
  });
  test('a server of one’s own answers in place of a model, and the own devnet needs neither address nor service', () => {
    expect(states(known({ models: [], config: config({ 'miner.backend': 'http://h' }) })).model).toBe('met');
    const devnet = states(known({ status: status({ network: { name: 'devnet', chain_id: 'hearth-devnet', is_devnet: true } }), config: config({}) }));
    expect([devnet.url, devnet.service], 'one of another computer').toEqual(['missing', 'missing']);
    const own = states(known({ status: status({ network: { name: 'devnet', chain_id: 'hearth-devnet', is_devnet: true }, setup: { done: true, steps: [{}] } }), config: config({}) }));
    expect([own.url, own.service]).toEqual(['met', 'met']);
  });
  test('the own devnet does by itself what its set-up does, and nothing where that was never run', () => {
    const devnet = (setup: object) => states(known({ status: status({ network: { name: 'devnet', chain_id: 'hearth-devnet', is_devnet: true }, setup: { steps: [{}], ...setup } }), config: config({}) }));
    const found = (setup: object) => ['service', 'url', 'stake'].map((code) => devnet(setup)[code]);
    expect(found({ running: false, done: false })).toEqual(['missing', 'missing', 'missing']);
    expect(found({ running: true, done: false })).toEqual(['met', 'met', 'met']);
    expect(found({ running: false, done: true })).toEqual(['met', 'met', 'missing']);
  });
  test('a stake for services that are not sold here is none', () => {
    const roles = { supplier: { leaving: null }, terms } as unknown as RolesPage;
    const stake = (reasons: object[]) => states(known({ roles, status: status({ earning: { state: 'off', reasons, notes: [] } }) })).stake;
    expect([stake([]), stake([{ code: 'no_staked_service' }])]).toEqual(['met', 'missing']);
  });
});
