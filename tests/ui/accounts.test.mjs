// The accounts of the wallet: taken in, named, used, exported, forgotten, sealed, locked; and what is refused on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FOREIGN, PATH, unknown } from './mock/accounts.mjs';
import { ADDRESSES, words } from './mock/world.mjs';
import { clean, enter, holds, mock, page, stage } from './support.mjs';

stage();

const PASSWORD = 'right password';
const at = (scenario = 'serving', { change, ...options } = {}) =>
  enter('wallet', { scenario, ready: 'accounts', change: ({ it }) => ((it.password = PASSWORD), change?.(it)), ...options });
/** Whether all of it can be seen in its sheet. */
const inSight = (what) =>
  what.evaluate((one) => {
    const [inner, outer] = [one, one.closest('.body')].map((of) => of.getBoundingClientRect());
    return inner.top >= outer.top && inner.bottom <= outer.bottom;
  });
const body = (name) => mock.calls.findLast((call) => call.name === name)?.body;
const count = (name) => mock.calls.filter((call) => call.name === name).length;
const accounts = () => page.getByTestId('accounts');
const manage = async (label) => {
  await accounts().getByRole('button', { name: `Manage ${label}` }).click();
  await page.getByTestId('account-sheet').waitFor();
};
const adding = async (way) => {
  await page.getByTestId('account-add').click();
  const sheet = page.getByTestId('add-account-sheet');
  await sheet.getByRole('radio', { name: way, exact: true }).click();
  return sheet;
};

test('an account comes in from words with a passphrase and a path, and a mistyped word is named', async () => {
  await at();
  const sheet = await adding('Words');
  const submit = sheet.getByRole('button', { name: 'Add account' });
  await page.locator('#add-secret').fill(words.slice(0, 11).join(' '));
  await page.locator('#add-password').fill(PASSWORD);
  await holds(async () => assert.equal(await submit.getAttribute('aria-disabled'), 'true'));
  await page.locator('#add-secret').fill([...words.slice(0, 11), 'zzz'].join(' '));
  // A block comes, and the wallet is read again: the form stays.
  mock.emit({ type: 'balances', height: 871_210 });
  await page.waitForTimeout(200);
  await submit.click();
  await sheet.getByText('Word 12 is not').waitFor();
  await holds(async () => assert.ok(await inSight(sheet.getByRole('alert'))));
  await clean('account-words-wrong');
  await page.locator('#add-secret').fill(words.slice(0, 12).join(' '));
  await page.locator('#add-passphrase').fill('twenty-fifth');
  await page.locator('#add-path').fill("m/44'/118'/3'/0/0");
  await page.locator('#add-label').fill('Old gateway');
  await sheet.getByRole('checkbox', { name: /^Gateway/ }).check();
  await page.locator('#add-password').fill(PASSWORD);
  await submit.click();
  await accounts().getByText('Old gateway').waitFor();
  assert.deepEqual(body('POST /wallet/accounts'), {
    beside: false,
    key: { kind: 'words', words: words.slice(0, 12).join(' '), passphrase: 'twenty-fifth', path: "m/44'/118'/3'/0/0" },
    label: 'Old gateway', purposes: ['gateway'], password: PASSWORD,
  });
  await holds(async () => assert.match(await accounts().innerText(), /Old gateway unlocked\s+Gateway[\s\S]*m\/44'\/118'\/3'\/0\/0/));
  // The working key has this task no more.
  await holds(async () => assert.match(await accounts().innerText(), /Working key unlocked\s+Operator\n/));
  await clean('accounts');
});

test('a key comes in as hex; what is none is said, and known accounts and names are refused', async () => {
  await at();
  const sheet = await adding('Hex');
  const submit = sheet.getByRole('button', { name: 'Add account' });
  const fill = async (hex, label) => {
    await page.locator('#add-hex').fill(hex);
    await page.locator('#add-label').fill(label);
    await page.locator('#add-password').fill(PASSWORD);
    await submit.click();
  };
  await fill('not a key', '');
  await sheet.getByRole('alert').waitFor();
  await clean('account-hex-wrong');
  await fill(FOREIGN.hex, 'main');
  await sheet.getByRole('alert').filter({ hasText: 'name' }).waitFor();
  await fill(FOREIGN.hex, '');
  await sheet.waitFor({ state: 'detached' });
  await accounts().getByText('imported key').waitFor();
  await adding('Hex');
  await fill(FOREIGN.hex, 'twice');
  await sheet.getByText('in the wallet already. Nothing was changed').waitFor();
  // Nothing of a key stays in the form.
  await page.keyboard.press('Escape');
  await page.getByTestId('account-add').click();
  await sheet.getByRole('radio', { name: 'Hex', exact: true }).click();
  await holds(async () => assert.equal(await page.locator('#add-hex').inputValue(), ''));
  await holds(async () => assert.equal(await sheet.getByRole('alert').count(), 0));
});

test('an export of pocketd comes in with its passphrase', async () => {
  await at();
  const sheet = await adding('pocketd');
  const submit = sheet.getByRole('button', { name: 'Add account' });
  await page.locator('#add-secret').fill('no armor');
  await page.locator('#add-password').fill(PASSWORD);
  await holds(async () => assert.equal(await submit.getAttribute('aria-disabled'), 'true'));
  await page.locator('#add-passphrase').fill('export phrase');
  await submit.click();
  await sheet.getByRole('alert').waitFor();
  await page.locator('#add-secret').fill(FOREIGN.armored);
  await page.locator('#add-passphrase').fill('another phrase');
  await page.locator('#add-password').fill(PASSWORD);
  await submit.click();
  await sheet.getByText(/passphrase/i).last().waitFor();
  await holds(async () => assert.equal(count('POST /wallet/accounts'), 2));
  await clean('account-armored-wrong');
  await page.locator('#add-passphrase').fill('export phrase');
  await page.locator('#add-password').fill(PASSWORD);
  await sheet.getByRole('checkbox', { name: /^Operator/ }).check();
  await submit.click();
  await accounts().getByText('exported key of pocketd').waitFor();
  await holds(async () => assert.equal(body('POST /wallet/accounts').key.text, FOREIGN.armored));
});

test('an address is only watched: for what needs no key here, and without a password', async () => {
  await at('serving', { change: (it) => it.walletPage.accounts.forEach((one) => (one.purposes = one.purposes.filter((purpose) => purpose !== 'application'))) });
  const sheet = await adding('Hex');
  await sheet.getByRole('checkbox', { name: /^Operator/ }).check();
  await sheet.getByRole('radio', { name: 'Address', exact: true }).click();
  await holds(async () => assert.equal(await sheet.getByRole('checkbox').count(), 2));
  await holds(async () => assert.equal(await page.locator('#add-password').count(), 0));
  await page.locator('#add-address').fill(`${ADDRESSES.supplier.slice(0, -1)}x`);
  await sheet.getByText('A letter of this address is wrong').waitFor();
  await page.locator('#add-address').fill(ADDRESSES.supplier);
  await sheet.getByRole('checkbox', { name: /^Owner/ }).check();
  await sheet.getByRole('button', { name: 'Add account' }).click();
  // The owner's key is here, and its place is not given away without the password.
  await sheet.getByRole('alert').waitFor();
  await holds(async () => assert.deepEqual(body('POST /wallet/watch').purposes, ['owner']));
  await clean('account-watch-refused');
  await sheet.getByRole('checkbox', { name: /^Owner/ }).uncheck();
  await sheet.getByRole('checkbox', { name: /^Application/ }).check();
  await page.locator('#add-label').fill('Cold');
  await sheet.getByRole('button', { name: 'Add account' }).click();
  await accounts().getByText('Cold').waitFor();
  await holds(async () => assert.match(await accounts().innerText(), /Cold watched\s+Application[\s\S]*address only/));
  // It can be forgotten without a password; it has no key to export.
  await manage('Cold');
  await holds(async () => assert.equal(await page.locator('#export-title').count(), 0));
  await page.getByRole('button', { name: 'Forget this account' }).click();
  await accounts().getByText('Cold').waitFor({ state: 'detached' });
});

test('the next key of the wallet’s words, under another name and for another task', async () => {
  await at();
  const sheet = await adding('Next');
  await page.locator('#add-password').fill(PASSWORD);
  await sheet.getByRole('button', { name: 'Add account' }).click();
  await accounts().getByText("m/44'/118'/0'/0/2").waitFor();
  await holds(async () => assert.deepEqual(body('POST /wallet/accounts').key, { kind: 'next' }));
  const [label] = mock.it.walletPage.accounts.slice(-1).map((one) => one.label);
  await manage(label);
  await page.locator('#account-label').fill('main');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByTestId('account-sheet').getByRole('alert').waitFor();
  await page.locator('#account-label').fill('Savings');
  await page.getByRole('button', { name: 'Save' }).click();
  await accounts().getByText('Savings').waitFor();
  await holds(async () => assert.deepEqual(body('PATCH /wallet/accounts/{id}'), { label: 'Savings' }));
  // A task moves with the password alone.
  await manage('Savings');
  await page.getByTestId('account-sheet').getByRole('checkbox', { name: /^Owner/ }).check();
  const save = page.getByRole('button', { name: 'Save' });
  await holds(async () => assert.equal(await save.getAttribute('aria-disabled'), 'true'));
  await page.locator('#account-password').fill('wrong');
  await save.click();
  await page.getByText('Wrong password. 3 tries left').waitFor();
  await clean('account-purposes-wrong');
  await page.locator('#account-password').fill(PASSWORD);
  await save.click();
  await page.getByTestId('account-sheet').waitFor({ state: 'detached' });
  await accounts().getByText('Owner', { exact: true }).waitFor();
  await holds(async () => assert.match(await accounts().innerText(), /Main key unlocked\s+Application\n[\s\S]*Savings unlocked\s+Owner\n/));
});

test('a key is exported with the password alone: words, hex, for pocketd; after wrong ones one waits', async () => {
  await at('serving', { change: (it) => (it.exportedWords = words) });
  await manage('Main key');
  const sheet = page.getByTestId('account-sheet');
  const show = sheet.getByRole('button', { name: 'Show', exact: true });
  await holds(async () => assert.equal(await show.getAttribute('aria-disabled'), 'true'));
  for (const [left, text] of [[3, 'Wrong password. 3 tries left'], [2, 'Wrong password. 2 tries left'], [1, 'Wrong password. 1 try left'], [0, 'Too many wrong passwords. Try again in 60 seconds']]) {
    await page.locator('#account-password').fill(`wrong ${left}`);
    await show.click();
    await sheet.getByText(text).waitFor();
  }
  await clean('account-export-wait');
  mock.it.wrong = 0;
  await page.locator('#account-password').fill(PASSWORD);
  await show.click();
  await holds(async () => assert.equal(await page.getByTestId('exported').innerText(), words.join(' ')));
  await clean('account-export');
  await sheet.getByRole('radio', { name: 'Hex', exact: true }).click();
  await holds(async () => assert.equal(await page.getByTestId('exported').count(), 0));
  await show.click();
  await holds(async () => assert.equal(await page.getByTestId('exported').innerText(), FOREIGN.hex));
  await sheet.getByRole('radio', { name: 'For pocketd' }).click();
  await holds(async () => assert.equal(await show.getAttribute('aria-disabled'), 'true'));
  await page.locator('#export-passphrase').fill('export phrase');
  await show.click();
  await page.getByTestId('exported').getByText('BEGIN TENDERMINT').waitFor();
  await holds(async () => assert.deepEqual(body('POST /wallet/accounts/{id}/export'), { form: 'armored', password: PASSWORD, passphrase: 'export phrase' }));
  // Closed is gone.
  await page.keyboard.press('Escape');
  await manage('Main key');
  await holds(async () => assert.equal(await page.getByTestId('exported').count(), 0));
  await holds(async () => assert.equal(await page.locator('#account-password').inputValue(), ''));
});

test('a key is forgotten once nothing needs it, with the password', async () => {
  const change = (it) => {
    it.walletPage.accounts.push({ id: 9, label: 'Old', kind: 'raw', path: null, address: FOREIGN.hexAddress, purposes: [], state: 'open' });
    const place = (kind, amount) => ({ ...it.balances.places[0], kind, address: FOREIGN.hexAddress, amount });
    it.balances.places.push(place('spendable', '12500000'), place('application', '3000000'));
    it.walletPage.accounts.push({ id: 10, label: 'Next', kind: 'words', path: "m/44'/118'/0'/0/5", address: ADDRESSES.supplier, purposes: [], state: 'open' });
  };
  await at('serving', { change });
  await manage('Working key');
  await holds(async () => assert.equal(await page.getByRole('button', { name: 'Forget this account' }).count(), 0));
  await page.keyboard.press('Escape');
  await manage('Next');
  const ask = page.getByRole('button', { name: 'Forget this account' });
  const what = page.getByTestId('forget-what');
  await ask.click();
  // Its place was never read.
  await holds(async () => assert.match(await what.innerText(), /What it holds is not known now\.\s+Only its recovery words bring the key back, with the path m\/44'\/118'\/0'\/0\/5\./));
  await page.getByTestId('account-sheet').getByRole('button', { name: 'Back' }).click();
  await page.keyboard.press('Escape');
  await manage('Old');
  // The password of the export is no word to forget the key.
  await page.locator('#account-password').fill(PASSWORD);
  await ask.click();
  await page.getByRole('heading', { name: 'Forget Old?' }).waitFor();
  await holds(async () => assert.match(await what.innerText(), /It holds 12\.500000 POKT\.\s+Staked with it: 3\.000000 POKT\.\s+Nothing here brings the key back, no recovery words either, for it was imported: export it first\./));
  assert.equal(body('POST /wallet/accounts/{id}/remove'), undefined);
  const forget = page.getByRole('button', { name: 'Forget it for good' });
  await holds(async () => assert.equal(await forget.getAttribute('aria-disabled'), 'true'));
  await page.locator('#forget-password').fill('wrong');
  await forget.click();
  await page.getByText('Wrong password. 3 tries left').waitFor();
  await clean('account-forget-wrong');
  await page.locator('#forget-password').fill(PASSWORD);
  await forget.click();
  await accounts().getByText('Old', { exact: true }).waitFor({ state: 'detached' });
});

test('the password is changed, and the working key sealed under a passphrase of its own', async () => {
  await at();
  await page.getByTestId('accounts').getByText('opens everything').waitFor();
  await accounts().getByRole('button', { name: 'Unattended starts' }).click();
  const sheet = page.getByTestId('password-sheet');
  const submit = sheet.locator('footer button');
  await page.locator('#password-now').fill(PASSWORD);
  await page.locator('#password-next').fill(PASSWORD);
  await page.locator('#password-again').fill('something else');
  await sheet.getByText('The two passwords differ').waitFor();
  await holds(async () => assert.equal(await submit.getAttribute('aria-disabled'), 'true'));
  await page.locator('#password-again').fill(PASSWORD);
  await submit.click();
  await sheet.getByRole('alert').waitFor();
  await clean('seal-same');
  for (const field of ['next', 'again']) await page.locator(`#password-${field}`).fill('for the daemon');
  await submit.click();
  await accounts().getByText('The working key is sealed apart').waitFor();
  await holds(async () => assert.equal(await accounts().getByText('opens everything').count(), 0));
  await accounts().getByRole('button', { name: 'Change password' }).click();
  await page.locator('#password-now').fill('wrong');
  for (const field of ['next', 'again']) await page.locator(`#password-${field}`).fill('another one');
  await submit.click();
  await sheet.getByText('Wrong password. 3 tries left').waitFor();
  await page.locator('#password-now').fill(PASSWORD);
  for (const field of ['next', 'again']) await page.locator(`#password-${field}`).fill('for the daemon');
  await submit.click();
  await sheet.getByRole('alert').filter({ hasNotText: 'Wrong password' }).waitFor();
  for (const field of ['next', 'again']) await page.locator(`#password-${field}`).fill('another one');
  await submit.click();
  await sheet.waitFor({ state: 'detached' });
  assert.equal(mock.it.password, 'another one');
});

test('a wallet that locked itself says so, and is opened with the password alone', async () => {
  await at('serving', { dark: true });
  await holds(async () => assert.equal(await page.getByText('Wallet is locked.').count(), 0));
  // As after ten minutes without use, or when the computer slept.
  Object.assign(mock.it.status.wallet, { main_locked: true });
  mock.it.walletPage.accounts[0].state = 'locked';
  mock.emit({ type: 'wallet', ...mock.it.status.wallet });
  await page.getByText('Wallet is locked.').waitFor();
  await accounts().getByText('Main key locked').waitFor();
  await holds(async () => assert.match(await accounts().innerText(), /Working key unlocked/));
  await clean('wallet-auto-locked');
  await page.getByRole('button', { name: 'Unlock' }).click();
  const sheet = page.getByTestId('unlock-sheet');
  await page.locator('#unlock-password').fill('wrong');
  await sheet.getByRole('button', { name: 'Unlock' }).click();
  await sheet.getByText('Wrong password. 3 tries left').waitFor();
  await clean('unlock-wrong');
  // What was said of the last try is not there when the sheet comes again.
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await holds(async () => assert.equal(await sheet.getByRole('alert').count(), 0));
  await page.locator('#unlock-password').fill(PASSWORD);
  await sheet.getByRole('button', { name: 'Unlock' }).click();
  await accounts().getByText('Main key unlocked').waitFor();
  await holds(async () => assert.equal(await page.getByText('Wallet is locked.').count(), 0));
});

test('a payment from a locked account is signed by the password once, and a wrong one loses nothing', async () => {
  await at('locked');
  await accounts().getByText('Main key locked').waitFor();
  await page.getByTestId('send-open').click();
  await page.locator('#send-to').fill(ADDRESSES.supplier);
  await page.locator('#send-amount').fill('1.5');
  await page.getByRole('button', { name: /Review/ }).click();
  const sheet = page.getByTestId('send-sheet');
  const send = sheet.getByRole('button', { name: 'Send 1.5 POKT' });
  await holds(async () => assert.equal(await send.getAttribute('aria-disabled'), 'true'));
  await page.locator('#send-password').fill('wrong');
  await send.click();
  await sheet.getByText('Wrong password. 3 tries left').waitFor();
  await clean('send-wrong-password');
  await page.locator('#send-password').fill(PASSWORD);
  await send.click();
  await sheet.getByText('Payment sent').waitFor();
});

const gatewayOf = (address) => ({ path: "m/44'/118'/1'/0/0", address, label: null, on_chain: { ...unknown, spendable: '12500000', gateway: '5000000000' } });
const operatorOf = (address, owner) => ({ path: "m/44'/118'/0'/0/7", address, label: null, on_chain: { ...unknown, supplier: { owner, stake: '60000000000', services: ['llm-r1-14b', 'embed'] } } });

test('what accounts already are on the chain is seen, with the owner of their stake', async () => {
  await at('serving', { change: (it) => (it.onChain = { [ADDRESSES.working]: { ...unknown, supplier: { owner: ADDRESSES.supplier, stake: '60000000000', services: ['llm-r1-14b'] } } }) });
  const facts = (address) => accounts().locator(`[data-testid=chain-facts][data-address=${address}]`);
  await facts(ADDRESSES.main).getByText('1,271.418206 POKT spendable').waitFor();
  await facts(ADDRESSES.main).getByText('1,050.000000 POKT set aside for answers').waitFor();
  await holds(async () => assert.match(await facts(ADDRESSES.working).innerText(), /60,000\.000000 POKT staked to earn, owned by .*pokt1j40d…ccaa.*, whose key is not here, serves llm-r1-14b/));
  const asked = count('GET /wallet/accounts');
  // A block in which nothing moved asks for nothing.
  mock.emit({ type: 'balances', height: 871_210 });
  await page.waitForTimeout(300);
  await holds(async () => assert.equal(count('GET /wallet/accounts'), asked));
  await clean('accounts-on-chain');
  mock.failOnce('GET /wallet/accounts', 503, 'chain_unreachable', 'no endpoint answers');
  mock.it.balances = { ...mock.it.balances, total: '63574964373' };
  mock.emit({ type: 'balances', height: 871_211 });
  await accounts().getByRole('alert').waitFor();
  await accounts().getByRole('button', { name: 'Try again' }).click();
  await accounts().getByRole('alert').waitFor({ state: 'detached' });
});

test('words from elsewhere: what their keys already are is found, and taken in with one click', async () => {
  const found = { looked_at: 24, accounts: [{ path: PATH, address: ADDRESSES.main, label: 'main', on_chain: { ...unknown, spendable: '7' } }, gatewayOf(FOREIGN.hexAddress), operatorOf(FOREIGN.armoredAddress, ADDRESSES.main)] };
  await at('serving', { change: (it) => Object.assign(it, { found, onChain: { [ADDRESSES.working]: unknown } }) });
  const sheet = await adding('Words');
  await holds(async () => assert.equal(await page.getByTestId('discover').getAttribute('aria-disabled'), 'true'));
  await page.locator('#add-secret').fill([...words.slice(0, 11), 'zzz'].join(' '));
  await page.getByTestId('discover').click();
  await sheet.getByText('Word 12 is not').waitFor();
  await page.locator('#add-secret').fill(words.slice(0, 12).join(' '));
  await holds(async () => assert.equal(await sheet.getByRole('alert').count(), 0));
  await page.locator('#add-passphrase').fill('twenty-fifth');
  await page.getByTestId('discover').click();
  const list = page.getByTestId('found');
  await list.waitFor();
  await holds(async () => assert.deepEqual(body('POST /wallet/discover'), { kind: 'words', words: words.slice(0, 12).join(' '), passphrase: 'twenty-fifth' }));
  await holds(async () => assert.match(await list.innerText(), /0.000007 POKT spendable[\s\S]*here as Main key[\s\S]*5,000\.000000 POKT staked as a gateway[\s\S]*60,000\.000000 POKT staked to earn, owned by .*Main key.*, serves llm-r1-14b, embed/));
  await sheet.getByText('24 usual paths were looked at. Enter the password to take one in.').waitFor();
  const take = list.getByRole('button', { name: 'Take in as Gateway' });
  await holds(async () => assert.equal(await take.getAttribute('aria-disabled'), 'true'));
  await page.locator('#add-password').fill('wrong');
  await take.click();
  await sheet.getByText('Wrong password. 3 tries left').waitFor();
  await page.locator('#add-password').fill(PASSWORD);
  await clean('discovered');
  await take.click();
  await list.getByText('here as account').waitFor();
  await holds(async () => assert.deepEqual(body('POST /wallet/accounts').key, { kind: 'words', words: words.slice(0, 12).join(' '), passphrase: 'twenty-fifth', path: "m/44'/118'/1'/0/0" }));
  await holds(async () => assert.deepEqual(body('POST /wallet/accounts').purposes, ['gateway']));
  await list.getByRole('button', { name: 'Take in as Operator' }).click();
  await list.getByRole('button', { name: 'Take in as Operator' }).waitFor({ state: 'detached' });
  await holds(async () => assert.equal(await list.getByRole('button', { name: /^Take in/ }).count(), 0));
  // Other words: what was found is theirs no more.
  await page.locator('#add-passphrase').fill('');
  await list.waitFor({ state: 'detached' });
});

test('keys of the wallet’s own words are found with its password; a task that is well held is not offered', async () => {
  const found = { looked_at: 24, accounts: [{ ...gatewayOf(FOREIGN.hexAddress), path: "m/44'/118'/0'/0/2" }] };
  await at('serving', { change: (it) => (it.found = found) });
  await page.getByTestId('account-add').click();
  await holds(async () => assert.equal(await page.getByTestId('discover').getAttribute('aria-disabled'), 'true'));
  await page.locator('#add-password').fill(PASSWORD);
  await page.getByTestId('discover').click();
  // The working key is a staked gateway already.
  await page.getByTestId('found').getByRole('button', { name: 'Take in', exact: true }).click();
  await page.getByTestId('found').getByText('here as account').waitFor();
  await holds(async () => assert.deepEqual(body('POST /wallet/discover'), { kind: 'here', password: PASSWORD }));
  await holds(async () => assert.deepEqual([body('POST /wallet/accounts').key, body('POST /wallet/accounts').purposes], [{ kind: 'next', path: "m/44'/118'/0'/0/2" }, []]));
});

test('a key that came in as hex and is a staked gateway is offered for it', async () => {
  await at('serving', { change: (it) => (it.onChain = { [ADDRESSES.working]: unknown, [FOREIGN.hexAddress]: { ...unknown, gateway: '5000000000' } }) });
  await adding('Hex');
  await page.locator('#add-hex').fill(FOREIGN.hex);
  await page.locator('#add-label').fill('gateway1');
  await page.locator('#add-password').fill(PASSWORD);
  await page.getByTestId('add-account-sheet').locator('footer button').click();
  await accounts().getByRole('button', { name: 'Use as Gateway' }).click();
  const sheet = page.getByTestId('account-sheet');
  await holds(async () => assert.ok(await sheet.getByRole('checkbox', { name: /^Gateway/ }).isChecked()));
  await clean('account-use-as');
  await page.locator('#account-password').fill(PASSWORD);
  await sheet.getByRole('button', { name: 'Save' }).click();
  await sheet.waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(body('PATCH /wallet/accounts/{id}'), { purposes: ['gateway'], beside: false, password: PASSWORD }));
  await accounts().getByRole('button', { name: 'Use as Gateway' }).waitFor({ state: 'detached' });
});

test('on a phone the sheets of accounts fit', async () => {
  await at('serving', { size: 'phone', change: (it) => (it.exportedWords = words) });
  await page.getByTestId('account-add').click();
  for (const way of ['Next', 'Words', 'Hex', 'pocketd', 'Address']) {
    await page.getByTestId('add-account-sheet').getByRole('radio', { name: way, exact: true }).click();
    await clean(`phone-account-${way}`);
  }
  const seg = page.getByTestId('add-account-sheet').locator('.seg');
  await holds(async () => assert.ok(await seg.evaluate((one) => one.scrollWidth <= one.parentElement.clientWidth)));
  await page.keyboard.press('Escape');
  await manage('Main key');
  await clean('phone-account');
});

test('what was found fits on a phone, in German', async () => {
  const found = { looked_at: 24, accounts: [{ path: PATH, address: ADDRESSES.main, label: 'main', on_chain: unknown }, operatorOf(FOREIGN.armoredAddress, ADDRESSES.supplier)] };
  await at('serving', { size: 'phone', locale: 'de-DE', dark: true, change: (it) => (it.found = found) });
  await page.getByTestId('account-add').click();
  await page.locator('#add-password').fill(PASSWORD);
  await page.getByTestId('discover').click();
  await page.getByTestId('found').getByText('60.000,000000 POKT zum Verdienen gestakt').waitFor();
  await page.getByTestId('found').scrollIntoViewIfNeeded();
  await clean('phone-discovered');
});
