// The codes that the node sends and the words that the page has for them are the same ones, read from the node's source.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { amountOf } from './earn';
import { errors, errorWords } from './errors';
import { checks, checkWords, reasons, reasonWords } from './reasons';

const source = (path: string): string => readFileSync(`../node/${path}`, 'utf8').split('#[cfg(test)]')[0] ?? '';
const codes = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((hit) => hit[1] ?? '');

describe('reasons', () => {
  const sent = new Set([
    ...codes(source('miner/src/earning.rs'), /ReasonCode::\w+ => "(\w+)"/g),
    ...codes(source('api/src/parts/adapters/network.rs'), /ChainStanding::[\w{ ,.}]+ => \(\s*"(\w+)"/g),
    ...codes(source('api/src/parts/adapters/relay.rs'), /Unavailable::\w+ => \(\s*"(\w+)"/g),
    ...codes(source('api/src/parts/adapters/shelf.rs'), /\bcode: "(\w+)"/g),
  ]);
  test('the page has words for those that the node sends, and for no others', () => {
    expect(sent.size).toBeGreaterThan(10);
    expect(Object.keys(reasons).sort()).toEqual([...sent].sort());
  });
  test('a code of a newer node is said in its own words', () => {
    expect(reasonWords({ code: 'new', fact: '3 left', meaning: 'Means it.', remedy: 'Do it.' })).toEqual({ title: '3 left', meaning: 'Means it.', remedy: 'Do it.' });
  });
  test('the doctor’s own codes are those that it sends', () => {
    const doctor = source('app/src/doctor.rs');
    expect(Object.keys(checks).filter((code) => !doctor.includes(`"${code}",`))).toEqual([]);
    const found = codes(doctor, /\s"([a-z]+_[a-z]+)",\n/g);
    const known = (code: string) => code in checks || code in reasons;
    expect(found.filter((code) => !known(code))).toEqual([]);
  });
  test('a check that passed keeps what it found', () => {
    const check = { level: 'ok', code: 'disk', subject: 'Disk', fact: '4 GB free', meaning: '', remedy: null } as const;
    expect(checkWords(check)).toEqual({ subject: 'Disk', meaning: '', remedy: null });
  });
});

describe('errors', () => {
  const api = ['error', 'auth/login', 'routes/payments', 'routes/extract', 'routes/access', 'keep/reviews', 'keep/conversations', 'answers/answer']
    .concat(['shelf', 'money', 'earn', 'relay', 'mod'].map((name) => `parts/adapters/${name}`))
    .map((path) => source(`api/src/${path}.rs`))
    .join('\n');
  test('there are no words for codes that nobody sends', () => {
    const own = ['unreachable']; // The page's own: the node did not answer.
    expect(Object.keys(errors).filter((code) => !own.includes(code) && !api.includes(`"${code}"`))).toEqual([]);
  });
  test('a known code is said by the page, with the detail where the code alone does not say it', () => {
    expect(errorWords({ code: 'disk_full', message: 'the disk is full', remedy: 'Free it.' }).title).toMatch(/^The disk is full, nothing was written/);
    expect(errorWords({ code: 'not_enough', message: '3 POKT are needed, 2 POKT are there', remedy: null })).toEqual({
      title: 'There is not enough for this payment. Nothing left your wallet.',
      more: '3 POKT are needed, 2 POKT are there.',
    });
  });
  test('tries and waiting are counted', () => {
    const words = (code: string, message: string) => errorWords({ code, message, remedy: null }).title;
    expect(words('wrong_password', 'wrong password; 3 tries left, then a minute of waiting')).toMatch(/^Wrong password\. 3 tries left/);
    expect(words('wrong_password', 'wrong password')).toBe('Wrong password.');
    expect(words('wait', 'too many wrong passwords: try again in 60 s')).toMatch(/in 60 seconds/);
  });
  test('an unknown one keeps the words of the API', () => {
    expect(errorWords({ code: 'bad_request', message: 'no file x', remedy: 'Look.' })).toEqual({ title: 'no file x', more: 'Look.' });
  });
});

test('what is spendable is not taken for nothing while nobody says it', () => {
  expect(amountOf([], 'spendable')).toBeNull();
  expect(amountOf([], 'pending')).toBe('0');
  expect(amountOf([{ stage: 'spendable', amount: '7', sessions: 0 }], 'spendable')).toBe('7');
});
