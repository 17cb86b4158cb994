// What a key elsewhere has to sign goes out as a file or as codes to scan, and comes back as file, text or pictures of codes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unsignedStep } from './mock/accounts.mjs';
import { framesOf, pictureOf } from './mock/qr.mjs';
import { ADDRESSES } from './mock/world.mjs';
import { clean, enter, holds, mock, page, stage } from './support.mjs';

stage();
const at = ({ change, ...options } = {}) => enter('wallet', { ready: 'accounts', change: ({ it }) => change?.(it), ...options });
const body = (name) => mock.calls.findLast((call) => call.name === name)?.body;

/** The sheet of a change whose key is elsewhere. */
async function elsewhere(step, options = {}) {
  await at({ ...options, change: (it) => (it.unsigned = step) });
  await page.getByTestId('role-application').getByRole('button', { name: 'Change' }).click();
  await page.locator('#role-stake').fill('1100');
  await page.getByRole('button', { name: 'Look before you sign' }).click();
  await page.getByTestId('unsigned').waitFor();
}

test('what an account elsewhere has to sign goes out as a file and comes back signed', async () => {
  const step = unsignedStep(ADDRESSES.supplier);
  await elsewhere(step);
  const messages = page.getByTestId('role-sheet').getByTestId('message');
  await holds(async () => assert.match(await messages.innerText(), /^Stakes an application[^]*Account\s+pokt1[^]*Stake, all together\s+1,000\.000000\sPOKT\s+Service\s+llm-r1-14b\s+As JSON$/));
  await messages.getByText('As JSON').click();
  await holds(async () => assert.match(await messages.innerText(), /MsgStakeApplication[^]*"amount": "1000000000"/));
  const part = page.getByTestId('unsigned');
  await holds(async () => assert.equal(await page.getByRole('button', { name: 'Sign', exact: true }).count(), 0));
  await holds(async () => assert.match(await part.innerText(), /pocketd tx sign unsigned\.json/));
  const saved = page.waitForEvent('download');
  await part.getByRole('link', { name: /Save unsigned\.json/ }).click();
  const file = await (await saved).createReadStream();
  const chunks = [];
  for await (const chunk of file) chunks.push(chunk);
  assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), step.unsigned);
  await clean('unsigned');
  const back = (text) => page.locator('#signed-file').setInputFiles({ name: 'signed.json', mimeType: 'application/json', buffer: Buffer.from(text) });
  const signed = { ...step.unsigned, signatures: ['AAAA'] };
  await back('not json');
  const said = page.getByTestId('signed-back');
  await said.getByText('This is no transaction with a signature that holds').waitFor();
  await back(JSON.stringify(step.unsigned));
  await said.getByRole('alert').locator('summary').click();
  await said.getByText('carries no signature').waitFor();
  await back(JSON.stringify({ ...signed, body: { ...signed.body, messages: [] } }));
  await said.getByText('This node did not ask for such a transaction').waitFor();
  await clean('unsigned-refused');
  await back(JSON.stringify(signed));
  await page.getByTestId('role-sheet').waitFor({ state: 'detached' });
  await page.getByText('in block 871,211').waitFor();
  await holds(async () => assert.deepEqual(body('POST /roles/broadcast').tx, signed));
});

const BLANK = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const picture = (name, text) => ({ name, mimeType: 'image/png', buffer: pictureOf(text) });
const scan = (...files) => page.locator('#signed-pictures').setInputFiles(files);
const broadcasts = () => mock.calls.filter((call) => call.name === 'POST /roles/broadcast');

test('the codes that are drawn are read again to the same bytes', async () => {
  const step = unsignedStep(ADDRESSES.supplier);
  await elsewhere(step);
  await page.getByTestId('frames-show').click();
  const frames = page.getByTestId('frames');
  await frames.waitFor();
  const count = framesOf(JSON.stringify(step.unsigned)).length;
  assert.ok(count > 2);
  const shots = [];
  for (let at = 1; at <= count; at += 1) {
    await frames.getByRole('img', { name: `Code ${at} of ${count}` }).waitFor();
    shots.push({ name: `screen-${at}.png`, mimeType: 'image/png', buffer: await page.getByTestId('qr').screenshot() });
    if (at === 1) await clean('unsigned-codes');
    await frames.getByRole('button', { name: 'Next code' }).click();
  }
  await frames.getByRole('img', { name: `Code 1 of ${count}` }).waitFor();
  await scan(...shots.reverse());
  // All of it came back: it only lacks the signature.
  await page.getByTestId('signed-back').getByText('no transaction with a signature that holds').waitFor();
  await holds(async () => assert.equal(JSON.stringify(broadcasts()[0].body.tx), JSON.stringify(step.unsigned)));
});

test('a signed transaction comes back in pictures of codes; what is wrong with them is said', async () => {
  const step = unsignedStep(ADDRESSES.supplier);
  const signed = { ...step.unsigned, signatures: ['c2lnbmF0dXJl'.repeat(7)] };
  const frames = framesOf(JSON.stringify(signed));
  const other = framesOf(JSON.stringify(signed).replace('1000000000', '2000000000'));
  await elsewhere(step);
  const notes = page.getByTestId('frame-notes');
  await scan(picture('first.png', frames[0]), picture('again.png', frames[0]), picture('address.png', ADDRESSES.main), picture('next.png', other[1]), picture('new.png', 'HTX2/1/1/00000000/AAAA'),
    picture('cut.png', frames[1].slice(0, 12)), { name: 'blank.png', mimeType: 'image/png', buffer: BLANK }, { name: 'text.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await notes.waitFor();
  assert.deepEqual((await notes.locator('li').allInnerTexts()).map((line) => line.replaceAll(/[\u2066-\u2069]/g, '')), [
    'again.png: this code is there already.', 'address.png: this code is of something else.', 'next.png: this code belongs to another transaction.',
    'new.png: this code was made by a newer Hearth. Update this one, or take the file.', 'cut.png: this code is damaged. Scan it again.',
    'blank.png: no code that can be read. One code in each picture, straight on and without glare.', 'text.png: no code that can be read. One code in each picture, straight on and without glare.',
  ]);
  const missing = frames.map((_, at) => at + 1).slice(1).join(', ');
  await holds(async () => assert.match(await page.getByTestId('frames-missing').innerText(), new RegExp(`Still missing of ${frames.length} codes: ${missing}\\.`)));
  await page.getByTestId('frames-missing').scrollIntoViewIfNeeded();
  await clean('signed-codes-missing');
  await holds(async () => assert.equal(broadcasts().length, 0));
  // Another time, the rest; then all of it is sent.
  await scan(...frames.slice(1).map((frame, at) => picture(`rest-${at}.png`, frame)));
  await page.getByTestId('role-sheet').waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(broadcasts().map((call) => call.body.tx), [signed]));
});

test('what a scanner read can be pasted, and pieces that make no file are begun anew', async () => {
  const step = unsignedStep(ADDRESSES.supplier);
  const signed = { ...step.unsigned, signatures: ['AAAA'] };
  const frames = framesOf(JSON.stringify(signed));
  await elsewhere(step, { size: 'phone' });
  const paste = async (text) => {
    await page.locator('#signed-paste').fill(text);
    await page.getByRole('button', { name: 'Take what was pasted' }).click();
  };
  const broken = frames.map((frame, at) => (at === 1 ? `${frame.slice(0, -4)}AAAA` : frame));
  await paste(broken.join('\n'));
  await page.getByText('All codes are there, but together they make no transaction').waitFor();
  await paste(`${frames[0]}\n`);
  await page.getByTestId('frames-missing').waitFor();
  await page.getByTestId('frames-missing').getByRole('button', { name: 'Begin again' }).click();
  await holds(async () => assert.equal(await page.getByTestId('frames-missing').count(), 0));
  await paste('nonsense');
  await page.getByTestId('frame-notes').getByText('Line 1: this code is of something else.').waitFor();
  await page.getByTestId('frame-notes').scrollIntoViewIfNeeded();
  await clean('phone-signed-paste');
  await holds(async () => assert.equal(broadcasts().length, 0));
  await paste([...frames].reverse().join('\n'));
  await page.getByTestId('role-sheet').waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(broadcasts().map((call) => call.body.tx), [signed]));
});

test('an address to pay is read from the picture of a code', async () => {
  await at();
  await page.getByTestId('send-open').click();
  await page.locator('#send-picture').setInputFiles(picture('other.png', 'https://example.com'));
  await page.getByText('No code with an address can be read in this picture').waitFor();
  await clean('send-picture-none');
  await page.locator('#send-picture').setInputFiles(picture('address.png', ADDRESSES.supplier));
  await page.waitForFunction((address) => document.querySelector('#send-to').value === address, ADDRESSES.supplier);
  await holds(async () => assert.equal(await page.getByText('No code with an address can be read').count(), 0));
});

test('what another node gave out is shown whole, signed with the password, and given back', async () => {
  await at({ change: (it) => ((it.status.wallet.main_locked = true), (it.password = 'correct horse')) });
  await page.getByTestId('sign-open').click();
  const sheet = page.getByTestId('sign-sheet');
  const take = (tx) => sheet.locator('#signed-file').setInputFiles({ name: 'unsigned.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(tx)) });
  await take({ messages: [] });
  await sheet.getByText('This is no transaction').first().waitFor();
  await take(unsignedStep(ADDRESSES.supplier).unsigned);
  await sheet.getByText('Sign where it is', { exact: false }).first().waitFor();
  await clean('sign-refused');
  const { unsigned } = unsignedStep(ADDRESSES.main);
  await take({ ...unsigned, body: { ...unsigned.body, memo: '<b>rent</b>', timeout_height: '900000' } });
  const content = sheet.getByTestId('signature-content');
  await content.waitFor();
  await holds(async () => assert.match(await content.innerText(), /Messages: 1[\s\S]*Fee: 0\.000001[\s\S]*Stakes an application[\s\S]*Stake, all together\s+1,000\.000000\sPOKT\s+Service\s+llm-r1-14b[\s\S]*<b>rent<\/b>[\s\S]*900,000[\s\S]*Account number 12, sequence 3/));
  await content.getByText('As JSON').click();
  await holds(async () => assert.match(await content.innerText(), /"@type": "\/pocket\.application\.MsgStakeApplication"[\s\S]*"amount": "1000000000"/));
  await clean('sign-review');
  await page.locator('#sign-password').fill('wrong');
  await page.getByTestId('sign-approve').click();
  await sheet.getByRole('alert').waitFor();
  await page.locator('#sign-password').fill('correct horse');
  await page.getByTestId('sign-approve').click();
  const saved = page.waitForEvent('download');
  await page.getByTestId('sign-save').click();
  const chunks = [];
  for await (const chunk of await (await saved).createReadStream()) chunks.push(chunk);
  assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()).signatures, ['c2ln']);
  await holds(async () => assert.deepEqual([body('POST /wallet/tx/sign').file.account_number, body('POST /wallet/tx/sign').file.sequence], [12, 3]));
  await sheet.getByRole('button', { name: 'Show it as codes to scan' }).click();
  await sheet.getByTestId('frames').waitFor();
  await clean('sign-done');
  await holds(async () => assert.equal(broadcasts().length, 0));
});
