// The codes that the node sends and the words that the page has for them are the same ones, read from the node's source.
import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import type { EarnedSession } from '$lib/api/generated';
import { overwriteGetLocale } from '$lib/paraglide/runtime';
import { amountOf, lossWords, lostWords, slashWords } from './earn';
import { backendWords, settingText, settingWords } from './config';
import { errors, errorWords } from './errors';
import { programs } from './programs';
import { checks, checkWords, reasons, reasonWords, steps, subjects } from './reasons';

let locale: 'en' | 'de' = 'en';
overwriteGetLocale(() => locale);
beforeEach(() => (locale = 'en'));

const source = (path: string): string => readFileSync(`../node/${path}`, 'utf8').split('#[cfg(test)]')[0] ?? '';
/** All sources of a folder, without their tests. */
function sourcesIn(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.rs') && !file.includes('tests'));
  return files.map((file) => readFileSync(`${folder}/${file}`, 'utf8').split('#[cfg(test)]')[0]).join('\n');
}
const codes = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((hit) => hit[1] ?? '');

describe('reasons', () => {
  const sent = new Set([
    ...codes(source('miner/src/earning.rs'), /ReasonCode::\w+ => "(\w+)"/g),
    ...codes(source('api/src/parts/adapters/network.rs'), /ChainStanding::[\w{ ,.}]+ => \(\s*"(\w+)"/g),
    ...codes(source('api/src/parts/adapters/relay.rs'), /Unavailable::\w+ => \(\s*"(\w+)"/g),
    ...codes(source('api/src/parts/adapters/model_store.rs'), /\bcode: "(\w+)"/g),
  ]);
  test('the page has words for those that the node sends, and for no others', () => {
    expect(sent.size).toBeGreaterThan(10);
    expect(Object.keys(reasons).sort()).toEqual([...sent].sort());
  });
  test('a code of a newer node is said in its own words', () => {
    expect(reasonWords({ code: 'new', fact: '3 left', meaning: 'Means it.', remedy: 'Do it.' })).toEqual({ title: '3 left', meaning: 'Means it.', remedy: 'Do it.', fact: null, details: null });
  });
  test('the doctor’s own codes are those that it sends', () => {
    const doctor = `${source('app/src/doctor.rs')}\n${source('app/src/doctor/keys.rs')}`;
    expect(Object.keys(checks).filter((code) => !doctor.includes(`"${code}",`))).toEqual([]);
    const found = codes(doctor, /\s"([a-z]+_[a-z]+)",\n/g);
    const known = (code: string) => code in checks || code in reasons;
    expect(found.filter((code) => !known(code))).toEqual([]);
  });
  test('what the doctor looks at and the steps of the set-up have words', () => {
    const looksAt = codes(`${source('app/src/doctor.rs')}\n${source('app/src/doctor/keys.rs')}`, /"([A-Z][a-z]+)",/g);
    expect(looksAt).toContain('Endpoint');
    expect(looksAt.filter((one) => !(one in subjects))).toEqual([]);
    const taken = codes(source('app/src/setup.rs'), /^    \("(\w+)", "/gm);
    expect(taken.sort()).toEqual(Object.keys(steps).sort());
  });
  test('a check that passed keeps what it found', () => {
    const check = { level: 'ok', code: 'disk', subject: 'Disk', fact: '4 GB free', meaning: '', remedy: null } as const;
    expect(checkWords(check)).toEqual({ subject: 'Disk', meaning: '', remedy: null, fact: '4 GB free', details: null });
  });
});

describe('errors', () => {
  const api = sourcesIn('../node/api/src');
  const answers = source('answers/src/error.rs');
  const everywhere = `${api}\n${source('app/src/config_page.rs')}\n${source('app/src/host.rs')}\n${answers}\n${sourcesIn('../node/weights/src')}\n${sourcesIn('../node/chats/src')}\n${sourcesIn('../node/connect/src')}\n${sourcesIn('../node/roles/src')}\n${readFileSync('../engine/src/fact.rs', 'utf8')}`;
  // What only a program can cause, or nobody hears: such an answer goes to whoever wrote the program, in English.
  const programs = ['bad_request', 'cancelled', 'insufficient_quota', 'invalid_api_key', 'invalid_json', 'key_model', 'key_needed', 'key_scope', 'many_sources', 'method_not_allowed', 'model_changed', 'no_such_signer', 'no_tools', 'rate_limit_exceeded', 'source_unusable', 'too_many_signatures', 'too_many_values', 'unknown_url'];
  test('there are no words for codes that nobody sends', () => {
    const own = ['unreachable', 'unexpected', 'setup_failed', 'answer_failed']; // The page's own: the node did not answer, or not so.
    expect(Object.keys(errors).filter((code) => !own.includes(code) && !everywhere.includes(`"${code}"`))).toEqual([]);
  });
  test('whatever a person can cause has words on the page', () => {
    const sent = new Set([
      ...codes(api, /(?:StatusCode::\w+,|(?:conflict|unavailable|refused)\()\s*"(\w+)"/g),
      ...codes(source('app/src/host.rs'), /(?:conflict|refused)\(\s*"(\w+)"/g),
      ...codes(source('app/src/config_page.rs'), /(?:conflict|refused)\(\s*"(\w+)"/g),
      ...codes(answers, /Code::\w+ => \("(\w+)", \d+\)/g),
      ...codes(sourcesIn('../node/weights/src'), /Fact::new\(\s*"(\w+)"/g),
      ...codes(sourcesIn('../node/roles/src'), /RoleError::\w+[^=\n]*=> "(\w+)"/g),
      ...codes(sourcesIn('../node/chats/src'), /refused\(\s*"(\w+)"/g),
      ...codes(readFileSync('../node/weights/src/refusal.rs', 'utf8'), /"(\w+)"/g),
      ...codes(readFileSync('../engine/src/fact.rs', 'utf8'), /"((?:model|file)_\w+)"/g),
    ]);
    for (const code of ['model_version', 'cid_wrong', 'backend_busy', 'file_denied', 'download_quota', 'key_name']) expect(sent).toContain(code);
    const counted = ['wait', 'word_unknown', 'words_count', 'wrong_password'];
    const known = (code: string) => code in errors || counted.includes(code) || programs.includes(code);
    expect([...sent].filter((code) => !known(code))).toEqual([]);
    expect(programs.filter((code) => !everywhere.includes(`"${code}"`) || code in errors)).toEqual([]);
  });
  test('the facts of a refusal stand in its words, in both languages', () => {
    const version = { code: 'model_version', message: 'its GGUF version is 1', remedy: null, values: { file: 'm.gguf', version: '1' } };
    const memory = { code: 'model_too_large', message: 'needs 5000000000 bytes', remedy: null, values: { need_bytes: '5000000000', available_bytes: '2000000000', fits_bytes: '1500000000' } };
    expect(errorWords(version)).toEqual({ title: 'm.gguf has the GGUF version 1; 2 and 3 can be read. Fetch a newer file of this model.', more: '', details: null });
    expect(errorWords(memory).title).toMatch(/needs 5\.00\sGB of memory, and 2\.00\sGB are free/);
    locale = 'de';
    expect(errorWords(version).title).toContain('m.gguf hat die GGUF-Version 1');
    expect(errorWords(memory).title).toMatch(/braucht 5,00\sGB Speicher/);
    expect(errorWords({ code: 'model_version', message: 'old', remedy: null }).title).toContain('? hat die GGUF-Version ?');
  });
  test('a known code is said by the page, with the detail where the code alone does not say it', () => {
    expect(errorWords({ code: 'disk_full', message: 'the disk is full', remedy: 'Free it.' }).title).toMatch(/^The disk is full, nothing was written/);
    expect(errorWords({ code: 'not_enough', message: '3 POKT are needed, 2 POKT are there', remedy: null })).toEqual({
      title: 'There is not enough for this payment. Nothing left your wallet.',
      more: '',
      details: '3 POKT are needed, 2 POKT are there.',
    });
  });
  test('figures by name count, and what another program said goes under Details', () => {
    const wait = { code: 'wait', message: 'too many: in 2 minutes', remedy: null, values: { seconds: '120' } };
    expect(errorWords(wait).title).toMatch(/in 120 seconds/);
    const unseen = { code: 'a_new_code', message: 'Hearth cannot see x', remedy: 'Move it.', meaning: 'The service has no home.', details: 'os error 2' };
    expect(errorWords(unseen)).toEqual({ title: 'Hearth cannot see x.', more: 'The service has no home. Move it.', details: 'os error 2' });
    locale = 'de';
    expect(errorWords(unseen).details).toBe('Hearth cannot see x. The service has no home. Move it. Os error 2.');
  });
  test('tries and waiting are counted', () => {
    const words = (code: string, message: string) => errorWords({ code, message, remedy: null }).title;
    expect(words('wrong_password', 'wrong password; 3 tries left, then a minute of waiting')).toMatch(/^Wrong password\. 3 tries left/);
    expect(words('wrong_password', 'wrong password')).toBe('Wrong password.');
    expect(words('wait', 'too many wrong passwords: try again in 60 s')).toMatch(/in 60 seconds/);
  });
  test('an unknown one keeps the words of the API', () => {
    expect(errorWords({ code: 'bad_request', message: 'no file x', remedy: 'Look.' })).toEqual({ title: 'No file x.', more: 'Look.', details: null });
  });

});

test('every setting of the configuration has words', () => {
  const lists = source('app/src/config/schema.rs').split('BACKEND: &');
  const keys = (text: string | undefined) => codes(text ?? '', /^    \("([\w.]+)", Kind::/gm).sort();
  expect(keys(lists[0]).length).toBeGreaterThan(40);
  expect(Object.keys(settingWords).sort()).toEqual(keys(lists[0]));
  expect(Object.keys(backendWords).sort()).toEqual(keys(lists[1]));
  expect(settingText('backends.my.box.weight')).toBe(backendWords.weight?.());
  expect(settingText('models.aliases.gpt-4.1')).toBe(settingWords['models.aliases']?.());
});

test('every program that can be connected has words', () => {
  const known = codes(source('connect/src/program.rs').split('pub const fn title')[0] ?? '', /=> "([a-z-]+)",/g);
  expect(known.length).toBeGreaterThan(10);
  expect(Object.keys(programs).sort()).toEqual(known.sort());
});

test('what is spendable is not taken for nothing while nobody says it', () => {
  expect(amountOf([], 'spendable')).toBeNull();
  expect(amountOf([], 'pending')).toBe('0');
  expect(amountOf([{ stage: 'spendable', amount: '7', sessions: 0 }], 'spendable')).toBe('7');
});

describe('on a German page', () => {
  beforeEach(() => (locale = 'de'));
  const english = /\b(?:the|is|and|needed|free|found|lost)\b/;

  test('no sentence of an error is English, and what the node said is under Details', () => {
    const words = errorWords({ code: 'bad_request', message: 'the file x is no model', remedy: 'Choose another.' });
    expect(words.title).not.toMatch(english);
    expect(words.details).toBe('The file x is no model. Choose another.');
    expect(errorWords({ code: 'chain_refused', message: 'the endpoint lost it', remedy: null })).toMatchObject({ more: '', details: 'The endpoint lost it.' });
  });
  test('facts that are only figures stay, English ones go under Details', () => {
    locale = 'en';
    expect(reasonWords({ code: 'chain_unreachable', fact: 'error sending request', meaning: '', remedy: null })).toMatchObject({ fact: null, details: 'error sending request' });
    locale = 'de';
    expect(reasonWords({ code: 'port_taken', fact: '0.0.0.0:4328', meaning: 'Taken.', remedy: null })).toMatchObject({ fact: '0.0.0.0:4328', details: null });
    expect(reasonWords({ code: 'needs_stake', fact: 'needs 59,500 POKT', meaning: 'Needed.', remedy: null })).toMatchObject({ fact: null, details: 'needs 59,500 POKT' });
    const check = checkWords({ level: 'ok', code: 'disk', subject: 'Disk', fact: '4 GB free', meaning: '', remedy: null });
    expect(check).toEqual({ subject: 'Festplatte', meaning: '', remedy: null, fact: null, details: '4 GB free.' });
  });
  test('a reason or check that the page does not know shows nothing English outside Details', () => {
    const reason = reasonWords({ code: 'new', fact: 'is lost', meaning: 'The disk is found.', remedy: 'Look and see.' });
    expect(`${reason.title}${reason.meaning}${reason.remedy ?? ''}${reason.fact ?? ''}`).not.toMatch(english);
    expect(reason.details).toContain('The disk is found.');
    const check = checkWords({ level: 'fail', code: 'new', subject: 'Disk', fact: 'is lost', meaning: 'The disk is found.', remedy: 'Look and see.' });
    expect(`${check.meaning}${check.remedy ?? ''}${check.fact ?? ''}`).toBe('');
  });
});

describe('work that is not paid', () => {
  const session = (state: EarnedSession['state']) => ({ state, claim_opens: 1231, claim_closes: 1235, proof_opens: 1235, proof_closes: 1239, why: 'the endpoint was down' }) as EarnedSession;
  test.each(['skipped', 'claim_missed', 'proof_missed', 'proof_invalid', 'expired'] as const)('%s has its reason in both languages', (state) => {
    const english = lossWords(session(state));
    locale = 'de';
    const german = lossWords(session(state));
    expect(english).not.toBe(german);
    for (const words of [english, german]) expect(words).not.toContain('endpoint');
  });
  test('that the chain may take of the stake is said until it is known what it took', () => {
    const missed = session('proof_missed');
    expect(lossWords(missed)).toMatch(/may also take a part of the stake/);
    const slashed = { ...missed, slash: { height: 1239, amount: '10000000', stake_after: '59990000000' } };
    expect(lossWords(slashed)).not.toMatch(/may/);
    expect(slashWords(slashed.slash)).toBe('The chain took 10 POKT of the stake in block 1,239; 59,990 POKT are left.');
    locale = 'de';
    expect(slashWords(slashed.slash)).toBe('Die Chain hat in Block 1.239 10 POKT vom Einsatz genommen; 59.990 POKT sind übrig.');
  });
  test('in short it has its session, its end, its answers and the money', () => {
    const lost = { ...session('claim_missed'), start_height: 1201, end_height: 1220, answers: 19, lost: '2136526' };
    expect(lostWords(lost)).toEqual({ title: 'Session 1,201–1,220 is not paid', detail: 'Claim missed: 19 answers, 2.13 POKT.' });
    locale = 'de';
    expect(lostWords(lost).detail).toBe('Anspruch verpasst: 19 Antworten, 2,13 POKT.');
  });
  test('a missed window is said with its blocks', () => expect(lossWords(session('claim_missed'))).toContain('1,231–1,235'));
});
