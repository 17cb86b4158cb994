// Paying, receiving, the address book, the history and backups, as a person goes through them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSES } from './mock/world.mjs';
import { clean, enter, holds, mock, page, stage } from './support.mjs';

stage();
const at = (path, scenario = 'serving', options = {}) => enter(path, { scenario, ...options });
const reviewed = () => mock.calls.findLast((call) => call.name === 'POST /wallet/send/review').body;
// An address with a right checksum, which begins and ends as the supplier's: the mock judges it by its ends.
const OTHER = ADDRESSES.working;

test('all of it is sent to a name of the address book, at a higher fee, and the message is shown', async () => {
  await at('wallet');
  await page.getByTestId('send-open').click();
  await page.locator('#send-to').fill('exchange');
  await page.getByTestId('send-max').click();
  await page.getByRole('radio', { name: 'Higher' }).click();
  await clean('send-max');
  await page.getByRole('button', { name: /Review/ }).click();
  await page.getByTestId('messages').waitFor({ state: 'attached' });
  await holds(async () => assert.deepEqual(reviewed(), { from: ADDRESSES.main, to: ADDRESSES.supplier, max: true, fee: 'higher' }));
  const sheet = await page.getByTestId('send-sheet').innerText();
  assert.match(sheet, /1,271\.418202[\s\S]*To: Exchange/);
  await page.getByTestId('send-sheet').locator('summary').first().click();
  await clean('send-review-all');
});

test('an address that looks like a known one is called out, and one of our own is told', async () => {
  const change = ({ it }) => {
    it.contacts = [{ address: `${OTHER.slice(0, 8)}${'q'.repeat(32)}${OTHER.slice(-3)}`, name: 'Landlord', note: null, created_at: new Date().toISOString() }];
    it.status.wallet.working_address = ADDRESSES.main;
  };
  await at('wallet', 'serving', { change });
  await page.getByTestId('send-open').click();
  await page.locator('#send-to').fill(OTHER);
  await page.locator('#send-amount').fill('1');
  await page.getByRole('button', { name: /Review/ }).click();
  await page.getByTestId('looks-like').waitFor();
  await holds(async () => assert.match(await page.getByTestId('looks-like').innerText(), /looks like Landlord, but differs in 29 characters/));
  await clean('send-alike');
  await page.getByTestId('send-sheet').getByRole('button', { name: 'Back' }).click();
  await page.locator('#send-to').fill(ADDRESSES.main);
  await page.getByRole('button', { name: /Review/ }).click();
  await page.getByTestId('to-own').waitFor();
});

test('what claims and proofs cost stays with the working key, unless a person says otherwise', async () => {
  await at('wallet', 'serving', { change: ({ it }) => (it.reserve = 1_270_000_000n) });
  await page.getByTestId('send-open').click();
  await page.getByRole('radio', { name: 'Working key' }).click();
  await page.locator('#send-to').fill(ADDRESSES.supplier);
  await page.locator('#send-amount').fill('5');
  const look = page.getByRole('button', { name: /Review/ });
  await look.click();
  const reserve = page.getByTestId('reserve');
  await reserve.getByText('a proof that is missed costs stake').waitFor();
  await clean('send-below-reserve');
  // Nothing is taken by pressing the same button again.
  await look.click();
  await page.waitForTimeout(150);
  await holds(async () => assert.equal(reviewed().below_reserve, undefined));
  // Another key has no such reserve.
  await page.getByRole('radio', { name: 'Main key' }).click();
  await holds(async () => assert.equal(await reserve.count(), 0));
  await page.getByRole('radio', { name: 'Working key' }).click();
  await reserve.getByRole('checkbox', { name: 'Pay all the same, and risk open claims and stake' }).check();
  await look.click();
  await page.getByTestId('reserve-taken').waitFor();
  await holds(async () => assert.equal(reviewed().below_reserve, true));
  await clean('send-reserve-taken');
  // What rises between review and payment is refused there, and asked about where it was filled in.
  await page.getByTestId('send-sheet').getByRole('button', { name: 'Back' }).click();
  await page.keyboard.press('Escape');
  await page.getByTestId('send-open').click();
  await page.getByRole('radio', { name: 'Working key' }).click();
  await page.locator('#send-to').fill(ADDRESSES.supplier);
  await page.locator('#send-amount').fill('0.5');
  await look.click();
  mock.failOnce('POST /wallet/send', 409, 'below_reserve', 'less would be left than claims cost');
  await page.getByRole('button', { name: 'Send 0.5 POKT' }).click();
  await page.getByTestId('send-sheet').getByRole('alert').waitFor();
  await page.getByTestId('send-sheet').getByRole('button', { name: 'Back' }).click();
  await reserve.waitFor();
  await holds(async () => assert.equal(await reserve.getByRole('checkbox').isChecked(), false));
});

test('an address is received with as a code', async () => {
  await at('wallet', 'serving', { dark: true });
  await page.getByTestId('receive-open').click();
  await page.getByTestId('qr').waitFor();
  await holds(async () => assert.equal((await page.getByTestId('receive-address').innerText()).replaceAll(' ', ''), ADDRESSES.main));
  await clean('receive');
});

test('contacts are kept, changed, refused, exported, imported and deleted', async () => {
  await at('wallet');
  const book = page.getByTestId('contacts');
  await book.getByText('Exchange').waitFor();
  await book.getByRole('button', { name: 'Add contact' }).click();
  await page.locator('#contact-name').fill('exchange');
  await page.locator('#contact-address').fill(OTHER);
  await clean('contact');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('This name belongs to another address').waitFor();
  await page.locator('#contact-name').fill('Bob');
  await page.getByRole('button', { name: 'Save' }).click();
  await book.getByText('Bob').waitFor();
  const saved = page.waitForEvent('download');
  await book.getByRole('button', { name: 'Export contacts' }).click();
  assert.equal((await saved).suggestedFilename(), 'hearth-contacts.json');
  await book.getByRole('button', { name: 'Delete Bob' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Delete contact' }).click();
  await book.getByText('Bob').waitFor({ state: 'detached' });
  await page.getByTestId('contacts-file').setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from('{"hat": 1}') });
  await book.getByRole('alert').waitFor();
  const file = { contacts: [{ address: OTHER, name: 'Carol', note: null }] };
  await page.getByTestId('contacts-file').setInputFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(file)) });
  await book.getByText('Carol').waitFor();
});

test('the history is filtered, rewards apart, and movements are labelled', async () => {
  await at('wallet');
  const activity = page.getByTestId('activity');
  await activity.locator('.line').first().waitFor();
  await activity.getByLabel('Kind').selectOption('rewards');
  await page.waitForFunction(() => ![...document.querySelectorAll('[data-testid=activity] .line')].some((one) => /Sent|Received/.test(one.textContent)));
  await holds(async () => assert.equal(mock.calls.findLast((call) => call.name === 'GET /wallet/history').query.get('kinds'), 'reward'));
  await activity.getByLabel('Kind').selectOption('all');
  await activity.getByRole('button', { name: /Label: / }).first().click();
  await activity.locator('form input').fill('Rent May');
  await activity.locator('form').getByRole('button', { name: 'Save' }).click();
  await activity.getByText('Rent May').waitFor();
  await activity.getByRole('searchbox').fill('rent may');
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=activity] .line').length === 1);
  await clean('activity-found');
  await activity.getByRole('searchbox').fill('no such thing');
  await activity.getByText('Nothing like it').waitFor();
  await activity.getByLabel('From this day').fill('2020-01-01');
  await page.waitForTimeout(100);
  await holds(async () => assert.match(mock.calls.findLast((call) => call.name === 'GET /wallet/history').query.get('since'), /^20(?:19-12-31|20-01-01)T/));
});

test('movements between own accounts name them, and a table says whether it holds more than is shown', async () => {
  const change = ({ it }) => {
    Object.assign(it.history.find((one) => one.kind === 'sent'), { counterparty: ADDRESSES.working });
    it.contacts = [];
    it.payments = [{ time: new Date().toISOString(), amount: '5', state: 'on_its_way', to: ADDRESSES.main, tx: 'AB'.repeat(32), fee: '1' }];
  };
  await at('wallet', 'serving', { change });
  const activity = page.getByTestId('activity');
  await activity.locator('.line', { hasText: /Sent[\s\S]*Working key/ }).first().waitFor();
  await page.getByTestId('open-payments').getByText('Main key').waitFor();
  const csv = page.getByTestId('activity-csv');
  assert.equal(await csv.innerText(), 'CSV');
  await activity.getByLabel('Kind').selectOption('transfers');
  await csv.getByText('CSV of all').waitFor();
  assert.equal(await csv.getAttribute('title'), 'Saves all movements, not only those that the filter shows.');
  await clean('activity-own');
});

test('what is spoken for and what is not ours stand beside the total, not in it', async () => {
  const change = ({ it }) => {
    it.balances.reserved = [{ reserved_for: 'fees', place: 'spendable_working', amount: '2000' }, { reserved_for: 'chat', place: 'application', amount: '525564' }];
    it.balances.others = [{ operator: ADDRESSES.working, owner: ADDRESSES.supplier, amount: '60000000000', standing: { trust: 'proven', height: 871_209 } }];
  };
  await at('wallet', 'serving', { change });
  await page.getByTestId('spoken').waitFor();
  await holds(async () => assert.equal(await page.locator('[data-reserved=chat]').getAttribute('data-amount'), '525564'));
  const total = BigInt(await page.getByTestId('total').getAttribute('data-amount'));
  const places = await page.locator('[data-place]').evaluateAll((all) => all.map((one) => one.dataset.amount));
  assert.equal(places.reduce((sum, one) => sum + BigInt(one), 0n), total);
  await clean('wallet-spoken');
});

test('a backup is made and rehearsed, and what is wrong with it is said', async () => {
  await at('settings/backup');
  await page.locator('#backup-to').fill('/media/usb/there.backup');
  await page.locator('#backup-pass').fill('correct horse');
  await page.locator('#backup-again').fill('correct horse');
  await page.getByRole('button', { name: 'Make a backup' }).click();
  await page.getByText('A file of this name is there already').waitFor();
  await page.locator('#backup-to').fill('/media/usb/new.backup');
  await page.getByRole('button', { name: 'Make a backup' }).click();
  await page.getByText('Made: /media/usb/new.backup').waitFor();
  await holds(async () => assert.equal(await page.locator('#rehearse-from').inputValue(), '/media/usb/new.backup'));
  await page.locator('#rehearse-pass').fill('wrong');
  await page.getByRole('button', { name: 'Rehearse' }).click();
  await page.getByText('The passphrase is wrong').waitFor();
  await page.locator('#rehearse-pass').fill('correct horse');
  await page.locator('#rehearse-wallet').fill('right password');
  await page.getByRole('button', { name: 'Rehearse' }).click();
  await page.getByTestId('rehearsed').waitFor();
  await holds(async () => assert.match(await page.getByTestId('rehearsed').innerText(), /can be brought back[\s\S]*The password opens its keys/));
  await clean('backup');
});
