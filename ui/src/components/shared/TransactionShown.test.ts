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
