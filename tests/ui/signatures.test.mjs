// Programs ask for signatures; the owner sees all of what would be signed, and decides.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSES } from './mock/world.mjs';
import { enter, faults, holds, mock, page, shoot, stage } from './support.mjs';

stage();

const request = (id, content, needs_password = true) => ({
  id, asked_by: 'Ledger of my club', address: ADDRESSES.main, asked_at: new Date().toISOString(),
  expires_at: new Date(Date.now() + 600_000).toISOString(), content, needs_password,
});
const transaction = {
  type: 'transaction', chain_id: 'pocket', memo: 'membership', sent: '5000000', account_number: 12, sequence: 3, fee: '2', gas: 77_000, timeout_height: null,
  messages: [{ '@type': '/cosmos.bank.v1beta1.MsgSend', from_address: ADDRESSES.main, to_address: ADDRESSES.working, amount: [{ denom: 'upokt', amount: '5000000' }] }],
};

const at = (options = {}) => enter('chat', { scenario: 'locked', ...options });

test('What a program wants signed comes up on any page, one after the other', async () => {
  await at();
  const sheet = page.getByTestId('signature-sheet');
  await holds(async () => assert.equal(await sheet.count(), 0));
  mock.it.signatures = [request('s1', { type: 'text', text: 'I am the owner' }), request('s2', transaction)];
  mock.emit({ type: 'signatures' });
  await sheet.getByText('I am the owner').waitFor();
  await sheet.getByText('Ledger of my club').waitFor();
  await page.waitForTimeout(300);
  await shoot(page, 'signature-text');
  assert.deepEqual(await faults(page), []);
  // Without the password nothing is asked of the node, with a wrong one it stays.
  await page.getByTestId('signature-approve').click({ force: true });
  await page.keyboard.press('Enter');
  await holds(async () => assert.ok(!mock.calls.some((call) => call.name.includes('/approve'))));
  await sheet.getByLabel('Wallet password').fill('wrong');
  await page.getByTestId('signature-approve').click();
  await sheet.getByRole('alert').first().waitFor();
  await sheet.getByLabel('Wallet password').fill(mock.it.password);
  await page.getByTestId('signature-approve').click();

  await sheet.getByText(ADDRESSES.working).first().waitFor();
  await holds(async () => assert.match(await page.getByTestId('signature-content').innerText(), /Messages: 1 · This account sends in all: 5\.000000\sPOKT[\s\S]*Sends money[\s\S]*From\s+pokt1[\s\S]*To\s+pokt1[\s\S]*Amount\s+5\.000000\sPOKT[\s\S]*membership[\s\S]*Account number 12, sequence 3/));
  await shoot(page, 'signature-transaction');
  assert.deepEqual(await faults(page), []);
  await page.getByTestId('signature-refuse').click();
  await sheet.waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(mock.calls.filter((call) => /approve|refuse/.test(call.name)).map((call) => call.name.split('/').at(-1)), ['approve', 'approve', 'refuse']));
});

test('What is put off does not come back by itself; small and in German', async () => {
  await at({ locale: 'de-DE', viewport: { width: 320, height: 700 } });
  mock.it.signatures = [request('s1', transaction)];
  mock.emit({ type: 'signatures' });
  const sheet = page.getByTestId('signature-sheet');
  await sheet.getByText('Ein Programm bittet um Ihre Signatur').first().waitFor();
  await page.waitForTimeout(300);
  await shoot(page, 'signature-de-320');
  assert.deepEqual(await faults(page), []);
  await page.keyboard.press('Escape');
  await sheet.waitFor({ state: 'detached' });
  mock.emit({ type: 'signatures' });
  await page.waitForTimeout(200);
  await holds(async () => assert.equal(await sheet.count(), 0));
  mock.it.signatures.push(request('s2', { type: 'text', text: 'noch etwas' }));
  mock.emit({ type: 'signatures' });
  await sheet.getByText('noch etwas').waitFor();
});

const decisions = () => mock.calls.filter((call) => /approve|refuse/.test(call.name)).map((call) => `${call.id} ${call.name.split('/').at(-1)}`);
/** A page in which a second passes when the test says so: nothing here depends on how fast the computer is. */
async function stopped() {
  await at();
  await page.evaluate(() => {
    const [start, stop, held] = [window.setTimeout, window.clearTimeout, []];
    window.setTimeout = (work, delay, ...more) => (delay === 1_000 ? -held.push(work) : start.call(window, work, delay, ...more));
    window.clearTimeout = (id) => (id < 0 ? delete held[-id - 1] : stop.call(window, id));
    window.second = () => held.splice(0).forEach((work) => work());
  });
}
const second = () => page.evaluate(() => window.second());
/** What is asked for from now on, as the node tells the page. */
function wanted(...requests) {
  mock.it.signatures = requests;
  mock.emit({ type: 'signatures' });
}
const text = (id, words, password = false) => request(id, { type: 'text', text: words }, password);
const signable = () => page.locator('[data-testid=signature-approve]:not([aria-disabled=true])').waitFor();

test('What was shown stays where its program takes it back; what it asks for then is shown by itself', async () => {
  await stopped();
  const sheet = page.getByTestId('signature-sheet');
  wanted(text('s1', 'Log in'));
  await sheet.getByText('Log in').waitFor();
  await second();
  await signable();
  wanted({ ...request('s2', transaction), needs_password: false });
  await page.getByTestId('signature-gone').getByText('taken back by the program').waitFor();
  assert.equal(await sheet.getByText('Sends money').count(), 0);
  assert.deepEqual(await sheet.locator('footer').getByRole('button').allInnerTexts(), ['Close']);
  await shoot(page, 'signature-gone');
  assert.deepEqual(await faults(page), []);
  await page.keyboard.press('Enter');
  await page.getByTestId('signature-close').click();
  await sheet.getByText('Sends money').waitFor();
  await holds(async () => assert.equal(await page.evaluate(() => document.activeElement.textContent), 'A program asks for your signature'));
  await page.getByTestId('signature-approve').click({ force: true });
  assert.equal(await page.getByTestId('signature-approve').getAttribute('aria-disabled'), 'true');
  assert.deepEqual(decisions(), []);
  await second();
  await signable();
  await page.getByTestId('signature-approve').click();
  await holds(async () => assert.deepEqual(decisions(), ['s2 approve']));
});

test('A click or a key that was meant for the page signs nothing', async () => {
  await stopped();
  const sheet = page.getByTestId('signature-sheet');
  await page.getByTestId('composer').focus();
  wanted(text('s1', 'Log in', true));
  await sheet.getByText('Log in').waitFor();
  await holds(async () => assert.equal(await page.evaluate(() => document.activeElement.textContent), 'A program asks for your signature'));
  await page.keyboard.type('and then');
  await page.keyboard.press('Enter');
  assert.equal(await sheet.getByLabel('Wallet password').inputValue(), '');
  await sheet.getByLabel('Wallet password').fill(mock.it.password);
  const sign = page.getByTestId('signature-approve');
  await sign.click({ force: true });
  await page.keyboard.press('Enter');
  assert.equal(await sign.getAttribute('aria-disabled'), 'true');
  assert.match(await page.evaluate(() => document.getElementById(document.querySelector('[data-testid=signature-approve]').getAttribute('aria-describedby')).textContent), /Look at it first/);
  assert.deepEqual(await faults(page), []);
  assert.deepEqual(decisions(), []);
  await second();
  await signable();
  assert.equal(await sign.getAttribute('aria-describedby'), null);
  await sign.click();
  await sheet.waitFor({ state: 'detached' });
  assert.deepEqual(decisions(), ['s1 approve']);
});

test('A double click signs one request, not the one that waits behind it', async () => {
  await stopped();
  const sheet = page.getByTestId('signature-sheet');
  wanted(text('s1', 'Log in'), text('s2', 'Log out'));
  await sheet.getByText('Log in').waitFor();
  await second();
  await signable();
  const sign = page.getByTestId('signature-approve');
  await sign.click();
  await sheet.getByText('Log out').waitFor();
  await sign.click({ force: true });
  await sign.dblclick({ force: true });
  assert.deepEqual(decisions(), ['s1 approve']);
  await page.getByTestId('signature-refuse').click();
  await sheet.waitFor({ state: 'detached' });
  assert.deepEqual(decisions(), ['s1 approve', 's2 refuse']);
});
