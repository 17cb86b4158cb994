import { describe, expect, test } from 'vitest';
import { noteText } from './notes';

const note = (code: string, values: Record<string, string>) => ({ code, text: 'as the node wrote it', values });
const power = { who: 'pokt1you', account: 'pokt1me' };

describe('what to know before something is signed', () => {
  test.each([
    ['power_messages', { ...power, message: '/cosmos.bank.v1beta1.MsgSend' }, 'pokt1you may sign /cosmos.bank.v1beta1.MsgSend for pokt1me, without asking, for ever: until it is revoked.'],
    ['power_money', { ...power, amount: '7000000' }, 'pokt1you may send up to 7.000000 POKT of pokt1me, without asking, for ever: until it is revoked.'],
    ['power_money', { ...power, coins: '7.000000 POKT and 5ibc/1', to: 'pokt1shop' }, 'pokt1you may send up to 7.000000 POKT and 5ibc/1 of pokt1me to pokt1shop, without asking, for ever: until it is revoked.'],
    ['power_fees', power, 'pokt1me pays the fees of pokt1you, without a limit in all, for ever: until it is revoked.'],
    ['in_name_of', { who: 'pokt1me', accounts: 'pokt1boss' }, 'pokt1me does what is inside in the name of pokt1boss.'],
    ['stake_given', { from: 'pokt1me', to: 'pokt1you' }, 'All that the application pokt1me has staked becomes that of pokt1you.'],
    ['delegates', { gateway: 'pokt1you', application: 'pokt1me' }, 'The gateway pokt1you is not of this wallet, and may spend the stake of the application pokt1me.'],
    ['stake_for', { amount: '5000000', operator: 'pokt1op', owner: 'pokt1you' }, '5.000000 POKT that are staked for the operator pokt1op belong to pokt1you, who is not of this wallet and gets the stake back.'],
    ['stake_for', { operator: 'pokt1op', owner: 'pokt1you' }, 'What is staked for the operator pokt1op belongs to pokt1you, who is not of this wallet and gets the stake back.'],
    ['shares_for', { service: 'svc', shares: '40 % pokt1you' }, 'A part of what svc earns goes to others than this wallet: 40 % pokt1you.'],
    ['service_given', { service: 'svc', owner: 'pokt1you' }, 'The service svc becomes that of pokt1you, who is not of this wallet.'],
    ['given_up', { operator: 'pokt1op' }, 'The supplier of the operator pokt1op is given up, whose key is not in this wallet.'],
    ['looks_like', { address: 'pokt1alike', other: 'pokt1known', differs: '20' }, 'pokt1alike looks like an address you know, but differs in 20 characters. That one is pokt1known.'],
    ['first_payment', { addresses: 'pokt1you' }, 'First payment to pokt1you. A payment cannot be called back.'],
    ['other_number', { given: '5', known: '4' }, 'It is for the account number 5, and the chain has this account as number 4.'],
    ['other_sequence', { given: '9', next: '2' }, 'Its sequence is 9, and the next one of the account is 2.'],
    ['of_a_newer_node', {}, 'as the node wrote it'],
  ])('%s', (code, values, text) => expect(noteText(note(code, values as Record<string, string>)).replaceAll(/[\u2066-\u2069]/g, '')).toBe(text));

  test('an end is a time of this place', () => {
    expect(noteText(note('power_fees', { ...power, amount: '1', until: '2027-01-15T08:00:00Z' }))).toMatch(/up to 0\.000001 POKT, until .*2027/);
  });
});
