import { render } from '@testing-library/svelte';
import { expect, test } from 'vitest';
import type { TransactionContent } from '$lib/api/generated';
import TransactionShown from './TransactionShown.svelte';

const content = {
  chain_id: 'pocket', messages: [], memo: '', fee: '2', gas: 77_000, usual_fee: '1', fee_is_high: false, timeout_height: null, unordered: false, timeout: null,
  notes: [
    { code: 'power_messages', text: '', values: { who: 'pokt1you', account: 'pokt1me', message: '/cosmos.bank.v1beta1.MsgSend' }, danger: true },
    { code: 'end_unchecked', text: '', values: {}, danger: false },
  ],
} as unknown as TransactionContent;

test('powers that are handed over stand out, other notes do not', () => {
  const { getAllByTestId, getByText } = render(TransactionShown, { content });
  expect(getAllByTestId('tx-danger').map((one) => one.textContent)).toEqual([expect.stringMatching(/pokt1you may sign .*MsgSend for pokt1me/)]);
  expect(getByText(/cannot be checked/).className).not.toMatch(/danger/);
});

test('what counts stands before the messages, however many there are', () => {
  const send = (amount: string) => ({ '@type': '/cosmos.bank.v1beta1.MsgSend', amount: [{ denom: 'upokt', amount }] });
  const messages = [...Array.from({ length: 250 }, () => send('1')), send('900000000000')];
  const many = { ...content, messages, sent: '900000000250', account_number: 4, sequence: 9 } as unknown as TransactionContent;
  const { getByTestId, getAllByTestId, getByText } = render(TransactionShown, { content: many });
  const sum = getByTestId('tx-sum');
  expect(sum.textContent).toMatch(/Messages: 251 · This account sends in all: 900,000\.000250\sPOKT.*Fee: 0\.000002\sPOKT.*pokt1you may sign/s);
  expect(sum.compareDocumentPosition(getAllByTestId('message')[0] as HTMLElement) & Node.DOCUMENT_POSITION_FOLLOWING).toBeTruthy();
  getByText('Account number 4, sequence 9');
});
