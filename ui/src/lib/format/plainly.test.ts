// Amounts and cards of messages are read as people read them.
import { expect, test } from 'vitest';
import { plainly, visible } from './plainly';

test('amounts are found wherever they lie, and cards are text again', () => {
  const stake = { '@type': '/pocket.supplier.MsgStakeSupplier', stake: { denom: 'upokt', amount: '20000000' }, services: [] };
  expect(plainly(stake)).toEqual([{ name: 'stake', amount: '20000000' }]);
  const send = { amount: [{ denom: 'upokt', amount: '1' }, { denom: 'mact', amount: '2' }] };
  expect(plainly(send)).toEqual([{ name: 'amount', amount: '1' }]);
  const card = '{"name":"Häuschen"}';
  const bytes = btoa(String.fromCharCode(...new TextEncoder().encode(card)));
  expect(plainly({ service: { metadata: { card: bytes } } })).toEqual([{ name: 'service.metadata.card', text: card }]);
});

test('what is none is left as it stands', () => {
  expect(plainly({ stake: { denom: 'upokt', amount: '-1' }, card: '%%%', other: null, deep: [[[{ card: btoa('\u00ff') }]]] })).toEqual([]);
  expect(plainly('text')).toEqual([]);
  expect(plainly({ amount: Array.from({ length: 200 }, () => ({ denom: 'upokt', amount: '1' })) }).length).toBe(50);
});

test('signs that hide or turn text are written out', () => {
  expect(visible('refund \u202e000.15\u200b\u2028 of\tme\n')).toBe('refund \\u{202e}000.15\\u{200b}\\u{2028} of\tme\n');
  expect(visible('Häuschen 家 🔥')).toBe('Häuschen 家 🔥');
});
