// What one can do on the other pages, and what events change on them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESSES, words } from './mock/world.mjs';
import { clean, enter, holds, mock, page, shoot, stage } from './support.mjs';

stage();
const at = (path, scenario = 'devnet', options = {}) => enter(path, { scenario, ...options });

test('Earn follows blocks, claims and state; stops and starts', async () => {
  await at('earn');
  await page.getByTestId('sessions').waitFor();
  mock.emit({ type: 'head', ...mock.it.status.head, height: 871_210 });
  await page.getByTestId('tick').filter({ hasText: '871,210' }).waitFor();
  await page.getByTestId('block').filter({ hasText: '871,210' }).waitFor();
  const moved = { ...mock.it.sessions[2], state: 'settled', stage: 'settled', settled: '1911616', settled_height: 871_213, updated_at: new Date().toISOString() };
  mock.it.sessions[2] = moved;
  mock.emit({ type: 'claim', ...moved });
  await page.locator(`tr[data-session="${moved.id}"][data-state=settled]`).waitFor();
  await holds(async () => assert.equal(await page.locator(`tr[data-session="${moved.id}"]`).getAttribute('data-settled'), '1911616'));
  await page.locator(`tr[data-session="${moved.id}"]`).click();
  await page.getByTestId('relays').waitFor();
  await holds(async () => assert.match(await page.getByTestId('settled').innerText(), /\+\s1\.911616/));
  await clean('session-sheet');
  await page.keyboard.press('Escape');
  await page.getByTestId('chart-table').click();
  await holds(async () => assert.match(await page.locator('.days').innerText(), /56\.224398/));
  await page.getByTestId('earn-stop').click();
  await page.getByTestId('earn-start').waitFor();
  await page.getByTestId('earn-start').click();
  await page.locator('[data-testid=earning-state][data-state=idle]').waitFor();
});

test('Start earning says why not', async () => {
  await at('earn', 'off');
  await page.getByTestId('why').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('earn-start').getAttribute('aria-disabled'), 'true'));
  await page.getByTestId('earn-start').click({ force: true });
  await holds(async () => assert.ok(!mock.calls.some((call) => call.name === 'POST /earning/start')));
  await holds(async () => assert.match(await page.getByTestId('why').innerText(), /The port is taken[\s\S]*The working key holds too little/));
  await page.getByRole('button', { name: 'Unlock' }).click();
  await holds(async () => assert.match(page.url(), /\/wallet$/));
  // The page is fetched first.
  await page.waitForFunction(() => document.activeElement?.tagName === 'H1');
});

test('Set-up steps are seen moving, and go away when it is done', async () => {
  await at('chat', 'setup');
  await page.getByTestId('setup').waitFor();
  await holds(async () => assert.equal(await page.locator('[data-testid=setup] li[data-state=running]').innerText(), 'Service on the chain\nrunning now'));
  const { setup } = mock.it.status;
  mock.emit({ type: 'setup', ...setup, running: false, done: true, steps: setup.steps.map((step) => ({ ...step, state: 'done' })) });
  await page.getByTestId('setup').waitFor({ state: 'detached' });
});

test('A failed set-up says why and runs again', async () => {
  await at('chat', 'setup');
  const { setup } = mock.it.status;
  const steps = setup.steps.map((step, index) => (index === 3 ? { ...step, state: 'failed', error: 'The faucet is empty.' } : step));
  mock.emit({ type: 'setup', running: false, done: false, steps });
  await page.getByTestId('setup').getByTestId('error').locator('summary').click();
  await page.getByText('The faucet is empty.').waitFor();
  await clean('setup-failed');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForTimeout(100);
  await holds(async () => assert.ok(mock.calls.some((call) => call.name === 'POST /setup/run')));
});

test('A set-up that waits to be asked has a button', async () => {
  await at('chat', 'waiting');
  await page.getByTestId('setup-run').waitFor();
  await clean('setup-waits');
  await page.getByTestId('setup-run').click();
  await page.locator('[data-testid=setup] li[data-state=running]').waitFor();
  await page.getByTestId('setup-run').waitFor({ state: 'detached' });
});

test('Models: add, its error, pull, pause, verify, delete refused', async () => {
  await at('models');
  await page.getByTestId('add-model-open').click();
  await page.locator('#add-path').fill('/models/missing.gguf');
  await page.keyboard.press('Enter');
  await page.getByTestId('error').filter({ hasText: 'Hearth cannot see /models/missing.gguf' }).waitFor();
  await clean('add-model');
  await page.locator('#pull-cid').fill('bafybeinew');
  await page.locator('#pull-from').fill('http://127.0.0.1:9');
  await page.getByRole('button', { name: 'Fetch and verify' }).click();
  await page.locator('[data-cid=bafybeinew]').waitFor();
  mock.emit({ type: 'download', cid: 'bafybeinew', title: 'New one', state: 'fetching', have_bytes: 49_000_000, size_bytes: 98_000_000, bytes_per_second: 9_800_000, source: null, error: null, retry_at: null });
  await page.locator('[data-cid=bafybeinew]', { hasText: '49 MB of 98 MB, 5.0 s left' }).waitFor();
  await page.getByRole('button', { name: 'Pause: download New one' }).click();
  await page.getByRole('button', { name: 'Actions for SmolLM2 135M' }).click();
  await clean('model-menu');
  await page.getByRole('menuitem', { name: 'Verify' }).click();
  await page.getByText('SmolLM2 135M is what its CID says').waitFor();
  await page.getByRole('button', { name: 'Actions for DeepSeek R1 14B' }).click();
  const refused = page.getByRole('menuitem', { name: 'Delete' });
  await holds(async () => assert.equal(await refused.getAttribute('aria-disabled'), 'true'));
  await holds(async () => assert.match(await refused.innerText(), /Serves llm-r1-14b[\s\S]*miner\.services/));
  await clean('model-serves');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Actions for MiniLM L6' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  mock.failOnce('DELETE /models/{cid}', 409, 'model_in_use', 'MiniLM L6 serves llm-x', null);
  await page.getByRole('button', { name: 'Delete model' }).click();
  await page.getByTestId('error').filter({ hasText: 'This model serves the network' }).waitFor();
  await page.getByRole('button', { name: 'Delete model' }).click();
  await page.locator('[data-model=minilm-l6]').waitFor({ state: 'detached' });
  await holds(async () => assert.ok(!mock.calls.some((call) => call.name === 'DELETE /models/{cid}' && call.cid === mock.it.models[0].cid)));
});

test('The catalogue fetches where a source is configured', async () => {
  await at('models');
  await page.getByRole('button', { name: 'Get Phi-4 14B' }).click();
  await page.waitForFunction(() => document.querySelector('[data-testid=catalogue]').innerText.includes('on its way'));
  await holds(async () => assert.deepEqual(Object.keys(mock.calls.find((call) => call.name === 'POST /models/pull').body), ['cid']));
});

test('Without a source the catalogue asks where to fetch from', async () => {
  await at('models', 'devnet', { change: ({ it }) => (it.sourceConfigured = false) });
  const { cid } = mock.it.catalogue[1];
  const get = page.getByRole('button', { name: 'Name a source: Phi-4 14B' });
  await get.click();
  await page.waitForFunction(() => document.activeElement?.id === 'pull-from');
  await holds(async () => assert.equal(await page.locator('#pull-cid').inputValue(), cid));
  await holds(async () => assert.match(await page.locator('#pull-hint').innerText(), /weights\.gateways/));
  const pull = page.getByRole('button', { name: 'Fetch and verify' });
  await holds(async () => assert.equal(await pull.getAttribute('aria-disabled'), 'true'));
  await clean('get-from');
  await page.locator('#pull-from').fill('http://attic:4327');
  await pull.click();
  await page.getByTestId('add-model').waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(mock.calls.find((call) => call.name === 'POST /models/pull').body, { cid, from: 'http://attic:4327' }));
});

test('Wallet: send with review', async () => {
  await at('wallet');
  await page.getByTestId('send-open').click();
  await page.locator('#send-to').fill('pokt1short');
  await page.locator('#send-amount').fill('250.5');
  await page.getByText('Too short by 33 characters').waitFor();
  await page.locator('#send-to').fill(`${ADDRESSES.supplier.slice(0, -1)}q`);
  await page.getByText('A letter of this address is wrong').waitFor();
  await page.locator('#send-to').fill(ADDRESSES.supplier);
  await page.locator('#send-memo').fill('104882');
  await page.getByRole('button', { name: 'Review payment' }).click();
  await page.getByRole('button', { name: 'Send 250.5 POKT' }).waitFor();
  await clean('send-review');
  const review = mock.calls.find((call) => call.name === 'POST /wallet/send/review');
  assert.deepEqual(review.body, { from: ADDRESSES.main, to: ADDRESSES.supplier, amount: '250500000', memo: '104882' });
  await holds(async () => assert.match(await page.getByTestId('send-sheet').innerText(), /First payment to this address[\s\S]*1,020\.918205/));
  await page.getByRole('button', { name: 'Send 250.5 POKT' }).click();
  await page.getByRole('heading', { name: 'Payment sent' }).waitFor();
  await clean('send-sent');
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByTestId('faucet').click();
  await page.getByText('100.000000 POKT of play money received').waitFor();
});

test('Wallet: a locked one asks for the password', async () => {
  await at('wallet', 'locked');
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.locator('#unlock-password').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByTestId('error').filter({ hasText: 'Wrong password' }).waitFor();
  await clean('unlock');
  await page.locator('#unlock-password').fill('right password');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Lock', exact: true }).waitFor();
});

test('Wallet: create, words, check of three, a wrong word', async () => {
  await at('wallet', 'empty');
  await page.getByRole('button', { name: 'Create wallet' }).click();
  const sheet = page.getByTestId('create-wallet');
  await sheet.locator('#create-password').fill('long enough');
  await sheet.locator('#create-again').fill('long enough');
  await sheet.getByRole('button', { name: 'Create wallet' }).click();
  await sheet.getByRole('button', { name: 'Show the words' }).waitFor();
  await holds(async () => assert.doesNotMatch(await sheet.innerText(), /abandon/));
  await sheet.getByRole('button', { name: 'Show the words' }).click();
  await holds(async () => assert.match(await sheet.innerText(), /abandon/));
  await clean('words');
  await sheet.getByRole('button', { name: 'I wrote them down' }).click();
  for (let round = 0; round < 3; round += 1) {
    const number = Number(/number (\d+)/.exec(await sheet.getByRole('heading').first().innerText())[1]);
    if (round === 0) {
      await sheet.locator('.options button').filter({ hasNotText: new RegExp(`^${words[number - 1]}$`) }).first().click();
      await sheet.getByText('That is another word').waitFor();
      await clean('words-check');
    }
    await sheet.locator('.options').getByRole('button', { name: words[number - 1], exact: true }).click();
  }
  await sheet.waitFor({ state: 'detached' });
  const check = mock.calls.find((call) => call.name === 'POST /wallet/check');
  assert.equal(check.body.words, words.join(' '));
});

test('Settings: theme, language, key said once, password', async () => {
  await at('settings');
  await page.getByRole('radio', { name: 'Dark' }).click();
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
  await holds(async () => assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), 'rgb(21, 20, 19)'));
  await page.getByTestId('language').selectOption('de');
  await page.getByRole('heading', { name: 'Einstellungen' }).waitFor();
  await holds(async () => assert.equal(await page.evaluate(() => document.documentElement.lang), 'de'));
  await clean('settings-german');
  await page.reload();
  await page.getByRole('heading', { name: 'Einstellungen' }).waitFor();
  await holds(async () => assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark'));
  await page.getByTestId('language').selectOption('en');
  await page.getByRole('link', { name: 'API and keys' }).click();
  await page.locator('#key-name').fill('my editor');
  await page.keyboard.press('Enter');
  await holds(async () => assert.equal(await page.getByTestId('key-secret').innerText(), 'hk-77aa-secret-said-once'));
  await clean('key-made');
  await page.getByRole('button', { name: 'Revoke key my editor' }).click();
  await page.getByRole('button', { name: 'Revoke key', exact: true }).click();
  await page.getByTestId('key-secret').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Access' }).click();
  await page.locator('#login-password').fill('short');
  const save = page.getByRole('button', { name: 'Set password' });
  await holds(async () => assert.equal(await save.getAttribute('aria-disabled'), 'true'));
  await page.locator('#login-password').fill('a long password');
  await save.click();
  // The other sessions are over; this page got a new cookie with the answer and stays.
  await page.locator('.badge.ok', { hasText: 'set' }).waitFor();
  await holds(async () => assert.equal(await page.locator('#secret').count(), 0));
  await holds(async () => assert.match(page.url(), /\/settings\/access$/));
  await holds(async () => assert.equal(mock.calls.find((call) => call.name === 'PUT /auth/login').body.password, 'a long password'));
});

test('What the node refuses is said in the language of the page', async () => {
  await at('wallet', 'locked', { locale: 'de-DE' });
  await page.getByRole('button', { name: 'Entsperren' }).click();
  await page.locator('#unlock-password').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByTestId('error').filter({ hasText: 'Falsches Passwort. Noch 3 Versuche' }).waitFor();
  await page.goto(`${mock.url}/settings/doctor`);
  await page.getByTestId('doctor').getByText('Es kann keine Arbeit ankommen').waitFor();
  await clean('doctor-german');
});

test('Palette: finds pages, chats and actions by the keyboard alone', async () => {
  await at('chat');
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Find pages, chats, models, actions').waitFor();
  await clean('palette');
  await page.keyboard.type('wall');
  await page.getByTestId('palette').locator('.entry', { hasText: 'Wallet' }).first().waitFor();
  await page.getByTestId('palette').locator('.entry', { hasText: 'Letter' }).waitFor({ state: 'detached' });
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/wallet$/);
  await page.locator('main h1').focus();
  await page.keyboard.press('g');
  await page.keyboard.press('n');
  await page.waitForURL(/\/network$/);
  await page.keyboard.press('?');
  await page.getByTestId('keys').waitFor();
  await clean('keys');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Alt+n');
  await page.waitForURL(/\/chat$/);
  await page.waitForFunction(() => document.activeElement?.hasAttribute('data-composer'));
});

test('Network: a block is given where nothing is trusted', async () => {
  await at('network', 'unverified');
  const trust = page.getByTestId('trust');
  await trust.getByTestId('offered').getByText('block 871,209').waitFor();
  await clean('network-untrusted');
  await trust.getByLabel('Height of the block').fill('868,000');
  await trust.getByLabel('Hash of the block').fill('not a hash');
  await trust.getByRole('button', { name: 'Trust this block' }).click();
  await trust.getByTestId('error').filter({ hasText: '64 hex digits' }).waitFor();
  await trust.getByLabel('Hash of the block').fill('0'.repeat(64));
  await trust.getByRole('button', { name: 'Trust this block' }).click();
  await trust.getByTestId('error').filter({ hasText: 'No endpoint has this block' }).waitFor();
  await trust.getByRole('button', { name: 'Take it over' }).click();
  await holds(async () => assert.equal(await trust.getByLabel('Height of the block').inputValue(), '871209'));
  await trust.getByRole('button', { name: 'Trust this block' }).click();
  await trust.getByTestId('trust-source').getByText('you, on this computer').waitFor();
  await page.locator('main [role=alert][data-testid=chain-problem]').waitFor({ state: 'detached' });
  await clean('network-trusted');
});

test('Network: an upgrade of the chain is told before it comes', async () => {
  await at('network', 'locked');
  await holds(async () => assert.match(await page.getByTestId('upgrade').innerText(), /v0\.1\.36 comes at block [\d,]+, in about 2\sd.*tested with v0\.1\.35/s));
  await holds(async () => assert.equal(await page.getByTestId('program-newer').count(), 0));
  await clean('network-upgrade');
});

test('Network: endpoints are ranked, tried, added and removed, and false answers are shown', async () => {
  await at('network', 'locked');
  const card = page.getByTestId('endpoints');
  await card.locator('tbody tr').nth(3).waitFor();
  await card.getByText('takes no more questions for a while').waitFor();
  await card.getByTestId('try-endpoints').click();
  await card.getByTestId('trial').first().getByText('gave no usable answer').waitFor();
  await card.getByLabel('Address of another endpoint').fill('https://silent.example/key');
  await card.getByRole('button', { name: 'Try and add' }).click();
  await card.getByTestId('error').filter({ hasText: 'no usable answer' }).waitFor();
  await card.getByLabel('Address of another endpoint').fill('https://new.example/secret-key');
  await card.getByRole('button', { name: 'Try and add' }).click();
  await card.locator('tr[data-endpoint="new.example:443"]').waitFor();
  assert.equal((await card.textContent()).includes('secret-key'), false);
  await card.getByRole('button', { name: 'Remove witness-b.example:443' }).click();
  await card.locator('tr[data-endpoint="witness-b.example:443"]').waitFor({ state: 'detached' });
  await card.getByRole('button', { name: 'Show false answers: 1' }).click();
  await card.getByTestId('evidence').getByText('wrong proof of bank').waitFor();
  await clean('network-endpoints');
});

test('Signed out: asks for the token, says when it is wrong, goes on', async () => {
  await at('earn');
  mock.signIns.clear();
  await page.reload();
  await page.locator('#secret').waitFor();
  await clean('signin');
  await page.locator('#secret').fill('nonsense');
  await page.keyboard.press('Enter');
  await page.getByText('This is not the access token').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('foot').count(), 0));
  await page.getByRole('button', { name: 'Sign in with a password' }).click();
  await page.locator('#secret').fill('not this one');
  await page.keyboard.press('Enter');
  await page.getByTestId('error').filter({ hasText: 'Wrong password. 4 tries left' }).waitFor();
  await page.getByRole('button', { name: 'Sign in with the access token' }).click();
  await page.locator('#secret').fill('mock-token');
  await page.keyboard.press('Enter');
  await page.getByTestId('sessions').waitFor();
});

test('The node goes away and comes back', async () => {
  await at('earn');
  await page.getByTestId('sessions').waitFor();
  mock.leave();
  await page.getByTestId('lost').waitFor();
  mock.isAway = false;
  await page.getByTestId('lost').waitFor({ state: 'detached' });
});

test('Phone: tabs, drawer, more', async () => {
  await at('chat/c1', 'devnet', { size: 'phone', hasTouch: true });
  await page.getByTestId('show-chats').click();
  await page.getByTestId('chat-drawer').waitFor();
  await clean('phone-drawer');
  await page.getByTestId('chat-drawer').locator('.line a', { hasText: 'Rename photos' }).click();
  await page.getByTestId('chat-drawer').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('dialog').getByTestId('foot').waitFor();
  await clean('phone-more');
  await page.getByRole('dialog').getByRole('link', { name: 'Network', exact: true }).click();
  await page.waitForURL(/\/network$/);
});

test('Longer words do not break the layout', async () => {
  await at('earn', 'devnet');
  for (const [path, ready] of [['earn', 'sessions'], ['wallet', 'where'], ['models', 'local-models'], ['settings', 'language']]) {
    await page.goto(`${mock.url}/${path}`);
    await page.getByTestId(ready).waitFor();
    for (const width of [1280, 800, 360]) {
      await page.setViewportSize({ width, height: 740 });
      const out = await page.evaluate(() => {
        // Every text 40% longer, with accents, as a pseudo-locale would have it.
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = walk.nextNode(); node; node = walk.nextNode()) {
          const text = node.data.trim();
          if (text.length < 3 || !/[a-z]{3}/i.test(text) || node.parentElement.closest('.mono, script, style, title')) continue;
          if (!node.stretched) node.data = `${node.data}${' ǧéñţ'.repeat(Math.ceil((text.length * 0.4) / 5))}`;
          node.stretched = true;
        }
        const main = document.querySelector('main');
        return [document.documentElement.scrollWidth - document.documentElement.clientWidth, main.scrollWidth - main.clientWidth];
      });
      assert.ok(out.every((more) => more <= 1), `${path} at ${width}: ${out}`);
    }
    await shoot(page, `pseudo-${path}`);
    await page.setViewportSize({ width: 1280, height: 800 });
  }
});

test('Roles are looked at, signed and given up', async () => {
  await at('wallet', 'locked');
  const roles = page.getByTestId('roles');
  await roles.getByText('smollm2-135m-instruct').first().waitFor();
  await clean('roles');
  await page.getByTestId('role-supplier').getByRole('button', { name: 'Change' }).click();
  const sheet = page.getByTestId('role-sheet');
  await sheet.getByLabel('Stake, all together').fill('61000');
  await sheet.getByLabel('Where relays arrive').fill('http://127.0.0.1:4328');
  await sheet.getByRole('button', { name: 'Look before you sign' }).click();
  await sheet.getByText('Others cannot reach that address.').waitFor();
  await sheet.getByLabel('Where relays arrive').fill('https://home.example');
  await sheet.getByRole('button', { name: 'Look before you sign' }).click();
  await sheet.getByText('A note of a newer node.').waitFor();
  const review = mock.calls.filter((call) => call.name === 'POST /roles/review').at(-1).body;
  assert.equal(review.stake, '61000000000');
  assert.deepEqual(review.services[0].shares, [{ address: ADDRESSES.main, percent: 100 }], 'who gets what stays');
  await clean('role-review');
  await sheet.getByLabel('Wallet password').fill(mock.it.password);
  await sheet.getByRole('button', { name: 'Sign', exact: true }).click();
  await page.getByTestId('role-outcome').getByText('Done').waitFor();
  await clean('role-done');
  await sheet.getByRole('button', { name: 'Done' }).click();
  await page.getByTestId('transactions').locator('[data-state=placed]').first().waitFor();

  await page.getByTestId('role-application').getByRole('button', { name: 'Give up' }).click();
  await sheet.getByLabel('Wallet password').fill(mock.it.password);
  await sheet.getByRole('button', { name: 'Sign', exact: true }).click();
  await sheet.getByRole('button', { name: 'Done' }).click();
  await page.getByTestId('role-application').getByText('on its way out').waitFor();
  await clean('role-leaving');
});

test('A wallet without roles says what each asks for, in German and on a small screen', async () => {
  await at('wallet', 'devnet', { locale: 'de-DE', viewport: { width: 320, height: 700 } });
  mock.it.roles = { ...mock.it.roles, supplier: null, application: null, gateway: null };
  mock.emit({ type: 'balances' });
  await page.getByTestId('role-gateway').getByText('Das Netz verlangt mindestens').waitFor();
  await clean('roles-de-320');
  await page.getByTestId('role-gateway').getByRole('button', { name: 'Übernehmen' }).click();
  await page.getByTestId('role-sheet').getByLabel('Einsatz, alles zusammen').waitFor();
  await clean('role-form-de-320');
});
