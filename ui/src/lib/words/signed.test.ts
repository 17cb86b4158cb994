import { expect, test } from 'vitest';
import { plainly, type Plain } from '$lib/format/plainly';
import { doneBy, fieldOf, valueOf } from './signed';

const lines = (message: unknown) => plainly(message).lines.map((line) => `${fieldOf(line)}: ${'amount' in line ? line.amount : valueOf(line)}`);

test('a message is said in words by its whole name, and what is unknown says so', () => {
  expect(doneBy('/cosmos.bank.v1beta1.MsgSend')).toBe('Sends money');
  expect(doneBy('/cosmos.feegrant.v1beta1.MsgGrantAllowance')).toBe('Pays the fees of another account');
  expect(doneBy('/cosmos.feegrant.v1beta1.MsgRevokeAllowance')).toBe('Pays the fees of another account no more');
  for (const other of ['/evil.bank.MsgSend', 'MsgSend', '__proto__', 'toString', undefined]) expect(doneBy(other)).toContain('no words for');
});

test('fields have words, numbers where there are several, and their own name where there are none', () => {
  const share = [{ address: 'pokt1a', rev_share_percentage: 60 }, { address: 'pokt1b', rev_share_percentage: 40 }];
  expect(lines({ owner_address: 'pokt1o', services: [{ service_id: 'llm', rev_share: share }] })).toEqual([
    'Owner: pokt1o', 'Service: llm', 'Share goes to 1: pokt1a', 'Share in percent 1: 60', 'Share goes to 2: pokt1b', 'Share in percent 2: 40',
  ]);
  expect(lines({ authority: { constructor: 'x' } })).toEqual(['authority.constructor: x']);
  expect(lines({ 'a\u202e': 'b\u200b' })).toEqual(['a\\u{202e}: b\\u{200b}']);
});

test('what another account is allowed is said in words', () => {
  const grant = { grant: { authorization: { '@type': '/cosmos.authz.v1beta1.GenericAuthorization', msg: '/cosmos.bank.v1beta1.MsgSend' } } };
  expect(lines(grant)[1]).toBe('What is allowed: Sends money (/cosmos.bank.v1beta1.MsgSend)');
  const odd = { path: ['msg'], at: [], text: 'toString' } satisfies Plain;
  expect(valueOf(odd)).toBe('toString');
});
