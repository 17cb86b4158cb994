// Messages are read as people read them.
import { expect, test } from 'vitest';
import { plainly, visible } from './plainly';

const said = (message: unknown) => plainly(message).lines.map((line) => [line.path.join('.'), ...line.at, 'amount' in line ? `${line.amount} upokt` : line.text]);

test('every value is a line: amounts are amounts, cards are text again, lists are numbered', () => {
  const stake = {
    '@type': '/pocket.supplier.MsgStakeSupplier', signer: 'pokt1s', stake: { denom: 'upokt', amount: '20000000' },
    services: [{ service_id: 'a', endpoints: [{ url: 'https://one', rpc_type: 'JSON_RPC', configs: [] }] }, { service_id: 'b', endpoints: [{ url: 'https://two' }, { url: 'https://three' }] }],
  };
  expect(said(stake)).toEqual([
    ['signer', 'pokt1s'], ['stake', '20000000 upokt'], ['services.service_id', 1, 'a'], ['services.endpoints.url', 1, 'https://one'],
    ['services.endpoints.rpc_type', 1, 'JSON_RPC'], ['services.service_id', 2, 'b'], ['services.endpoints.url', 2, 1, 'https://two'], ['services.endpoints.url', 2, 2, 'https://three'],
  ]);
  expect(said({ amount: [{ denom: 'upokt', amount: '1' }, { denom: 'mact', amount: '2' }] })).toEqual([['amount', 1, '1 upokt'], ['amount', 2, '2 mact']]);
  const card = '{"name":"Häuschen"}';
  const bytes = btoa(String.fromCharCode(...new TextEncoder().encode(card)));
  expect(said({ service: { metadata: { card: bytes } } })).toEqual([['service.metadata.card', card]]);
  expect(plainly({ card: bytes }).lines[0]).toMatchObject({ bytes: 20 });
  expect(plainly(stake).whole).toBe(true);
});

test('messages in messages keep their kinds, and zeros and no are said', () => {
  expect(said({ '@type': 'outer', msgs: [{ '@type': 'inner', ok: false, units: 0 }] })).toEqual([['msgs.@type', 'inner'], ['msgs.ok', 'false'], ['msgs.units', '0']]);
});

test('what is none is left as it stands, and what is too much is not passed over', () => {
  expect(said({ stake: { denom: 'upokt', amount: '-1' }, card: '%%%', other: null, more: { denom: 'upokt', amount: '1', to: 'x' } })).toEqual([
    ['stake', '-1 upokt'], ['card', '%%%'], ['more.denom', 'upokt'], ['more.amount', '1'], ['more.to', 'x'],
  ]);
  expect(plainly('text').lines.length).toBe(1);
  const many = plainly({ amount: Array.from({ length: 300 }, () => ({ denom: 'upokt', amount: '1' })) });
  expect([many.lines.length, many.whole]).toEqual([200, false]);
  let deep: unknown = 'x';
  for (let depth = 0; depth < 40; depth += 1) deep = { deep };
  expect(plainly(deep)).toEqual({ lines: [], whole: false });
});

test('signs that hide or turn text are written out', () => {
  expect(visible('refund \u202e000.15\u200b\u2028 of\tme\n')).toBe('refund \\u{202e}000.15\\u{200b}\\u{2028} of\tme\n');
  expect(visible('Häuschen 家 🔥')).toBe('Häuschen 家 🔥');
});

test('a card is bounded, has its size, and hides no sign', () => {
  const long = plainly({ card: btoa('x'.repeat(100_000)) });
  expect(long).toMatchObject({ whole: false, lines: [{ text: 'x'.repeat(8000), bytes: 100_000 }] });
  const [marked] = plainly({ card: btoa('\u00ef\u00bb\u00bfpay\u00e2\u0080\u00ae') }).lines;
  expect(marked && 'text' in marked && visible(marked.text)).toBe('\\u{feff}pay\\u{202e}');
  expect(plainly({ card: btoa('\u00ff\u00fe') }).lines).toEqual([{ path: ['card'], at: [], text: '//4=', bytes: 2 }]);
});
