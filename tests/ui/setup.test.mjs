// The first run and the settings of the configuration, walked as a person does, with what goes wrong on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { words } from './mock/world.mjs';
import { clean, enter, holds, mock, page, stage } from './support.mjs';

stage();
const at = (path, scenario = 'empty', options = {}) => enter(path, { scenario, ...options });
const step = (id) => page.locator(`[data-testid=first-step][data-step=${id}]`).waitFor();
const noted = () => mock.calls.filter((call) => call.name === 'PATCH /first-run').map((call) => call.body);

test('whoever has set nothing up begins with the first run, and a page that was asked for is shown', async () => {
  await at('');
  await step('computer');
  await holds(async () => assert.match(await page.getByTestId('first-step').innerText(), /AMD Ryzen 7 7700, 16 threads[\s\S]*Mainnet/));
  await clean('first-computer');
  await page.goto(`${mock.url}/models`);
  await page.getByTestId('finish-setup').waitFor();
  await holds(async () => assert.match(page.url(), /\/models$/));
});

test('every step can be skipped, and a reload goes on there', async () => {
  await at('');
  await page.getByTestId('first-next').click();
  await step('model');
  await page.waitForFunction(() => document.activeElement?.id === 'first-heading');
  await clean('first-model');
  await page.getByTestId('first-skip').click();
  await step('wallet');
  await page.goto(mock.url);
  await step('wallet');
  await page.getByTestId('first-skip').click();
  await step('role');
  await page.getByTestId('first-skip').click();
  await step('ready');
  await holds(async () => assert.match(await page.getByTestId('first-step').innerText(), /none yet[\s\S]*none[\s\S]*not chosen/));
  await clean('first-ready');
  await page.getByRole('button', { name: 'Start chatting' }).click();
  await page.getByTestId('composer').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('finish-setup').count(), 0));
  assert.deepEqual(noted().at(-1), { step: { id: 'ready', state: 'done' }, ended: true });
});

test('a wallet is made and its words are checked within the first run', async () => {
  await at('setup/wallet');
  await page.getByRole('button', { name: 'Create wallet' }).click();
  await page.locator('#create-password').fill('a long password');
  await page.locator('#create-again').fill('a long password');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Show the words' }).click();
  await page.getByRole('button', { name: /wrote|written/i }).click();
  for (let asked = 0; asked < 3; asked += 1) {
    const sheet = page.getByTestId('create-wallet');
    const number = Number(/number (\d+)/.exec(await sheet.getByRole('heading').first().innerText())[1]);
    await sheet.locator('.options').getByRole('button', { name: words[number - 1], exact: true }).click();
  }
  await page.getByTestId('first-next').waitFor();
  await holds(async () => assert.match(await page.getByTestId('first-step').innerText(), /Your recovery words are checked/));
  await clean('first-wallet');
});

test('what earning needs on mainnet is asked for one after the other, without a file', async () => {
  const change = ({ it }) => {
    it.status.chain_problem = { code: 'chain_unreachable', fact: null, meaning: 'No endpoint answers.', remedy: null };
    it.models = [{ ...structuredClone(deepseek), state: 'ready' }];
  };
  await at('setup/role', 'empty', { change });
  await holds(async () => assert.equal(await page.getByRole('radio', { name: /pool/ }).isDisabled(), true));
  await page.getByRole('radio', { name: /own stake/ }).check();
  await page.getByTestId('needs').waitFor();
  const need = (code) => page.locator(`[data-need=${code}]`);
  await holds(async () => assert.equal(await need('chain').getAttribute('data-state'), 'missing'));
  await holds(async () => assert.equal(await need('chain').locator('details').getAttribute('open'), ''));
  await clean('first-needs');
  await page.locator('#need-rpc').fill('https://one.example\nhttps://two.example');
  await need('chain').getByRole('button', { name: 'Try and add' }).click();
  await page.waitForFunction(() => document.querySelector('#need-rpc').value === '');
  await holds(async () => assert.deepEqual(mock.calls.filter((call) => call.name === 'POST /network/endpoints').map((call) => call.body.url), ['https://one.example', 'https://two.example']));
  await need('service').locator('summary').click();
  await page.locator('#need-service').fill('llm-r1-14b');
  await need('service').getByRole('button', { name: 'Save' }).click();
  await page.locator('[data-need=service][data-state=met]').waitFor();
  await need('restart').waitFor();
  await need('url').locator('summary').click();
  await page.locator('#need-url').fill('https://home.example:4328');
  await need('url').getByRole('button', { name: 'Save' }).click();
  await page.locator('[data-need=url][data-state=met]').waitFor();
  await need('trust').locator('summary').click();
  await page.locator('#need-height').fill('871000');
  await page.locator('#need-hash').fill('ab'.repeat(32));
  await need('trust').getByRole('button', { name: 'Save' }).click();
  const saved = mock.calls.filter((call) => call.name === 'PATCH /config').map((call) => call.body.changes.map((one) => one.key));
  assert.deepEqual(saved, [['miner.services.llm-r1-14b'], ['miner.public_url'], ['chain.trust.height', 'chain.trust.hash']]);
  await need('restart').locator('summary').click();
  await need('restart').getByRole('button', { name: 'Restart Hearth' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Restart Hearth' }).click();
  await need('restart').waitFor({ state: 'detached' });
  await holds(async () => assert.ok(mock.calls.some((call) => call.name === 'POST /restart')));
  // The wallet is another step; it comes back to this one.
  await need('wallet').locator('summary').click();
  await need('wallet').getByRole('button', { name: 'Create or restore' }).click();
  await step('wallet');
});

test('money and stake are the last things that are missing', async () => {
  const change = ({ it }) => {
    it.firstRun.role = 'earn';
    it.roles.supplier = null;
    it.config.settings.find((one) => one.key === 'miner.public_url').value = 'https://home.example:4328';
    it.config.settings.push({ key: 'miner.services.llm-r1-14b', kind: 'text', choices: [], value: 'deepseek-r1-14b', in_force: null, origin: 'config.toml', locked: false, at_once: false });
    it.status.earning = { ...it.status.earning, state: 'off', reasons: [{ code: 'needs_stake', fact: null, meaning: 'Stake.', remedy: null }] };
  };
  await at('setup/role', 'serving', { change });
  await page.locator('[data-need=money][data-state=missing]').waitFor();
  await holds(async () => assert.match(await page.locator('[data-need=money]').innerText(), /at least 59,500(?:\.0+)? POKT/));
  await page.locator('[data-need=stake] summary').click();
  await page.locator('[data-need=stake]').getByRole('button', { name: 'Stake' }).click();
  await page.getByTestId('role-sheet').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('role-sheet').locator('input').nth(1).inputValue(), 'llm-r1-14b'));
});

test('the play network beside this one is a command to copy', async () => {
  await at('setup/role');
  await page.getByRole('radio', { name: /play money/ }).check();
  await page.getByText('hearth --daemon --network devnet').waitFor();
  await clean('first-devnet');
});

test('the first run is German on a German page, and works on a phone by keyboard', async () => {
  await at('', 'empty', { locale: 'de-DE', size: 'phone' });
  await step('computer');
  await holds(async () => assert.match(await page.locator('main').innerText(), /Dieser Computer[\s\S]*Arbeitsspeicher/));
  await clean('first-phone');
  await page.getByTestId('first-next').press('Enter');
  await step('model');
  await page.getByTestId('first-skip').press('Enter');
  await step('wallet');
  await page.getByTestId('first-skip').press('Enter');
  await step('role');
  await page.getByRole('radio', { name: /eigenem Einsatz/ }).press('Space');
  await page.getByTestId('needs').waitFor();
  await clean('first-phone-needs');
});

test('a node that cannot note a step says so, and the step stays', async () => {
  await at('setup/computer');
  mock.failOnce('PATCH /first-run', 507, 'disk_full', 'the disk is full, nothing was written');
  await page.getByTestId('first-next').click();
  await page.getByTestId('error').waitFor();
  await step('computer');
  await page.getByTestId('first-next').click();
  await step('model');
});

test('a devnet that sets itself up does not open the first run', async () => {
  await at('', 'devnet');
  await page.getByTestId('composer').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('finish-setup').count(), 0));
});

test('every setting is found, changed, refused and put back', async () => {
  await at('settings/config', 'serving');
  const row = (key) => page.locator(`[data-key="${key}"]`);
  await row('miner.slots').waitFor();
  await clean('settings-config');
  await page.getByRole('searchbox').fill('at once');
  await row('log.filter').waitFor({ state: 'detached' });
  await row('miner.slots').waitFor();
  await page.getByRole('searchbox').fill('nothing like it');
  await page.getByText('No setting is called so.').waitFor();
  await page.getByRole('searchbox').fill('');
  await row('miner.slots').getByRole('button').click();
  const field = row('miner.slots').locator('input');
  await field.fill('many');
  await field.press('Enter');
  await row('miner.slots').getByTestId('error').waitFor();
  await holds(async () => assert.match(await row('miner.slots').getByTestId('error').innerText(), /miner\.slots takes a whole number/));
  await field.fill('4');
  await field.press('Enter');
  await page.getByTestId('needs-restart').waitFor();
  await holds(async () => assert.match(await row('miner.slots').innerText(), /with the next start until then: 0/));
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Change miner.slots');
  await clean('settings-config-changed');
  await row('miner.slots').getByRole('button').click();
  await row('miner.slots').getByRole('button', { name: 'Back to built-in' }).click();
  await page.getByTestId('needs-restart').waitFor({ state: 'detached' });
  await row('log.filter').getByRole('button').click();
  await row('log.filter').locator('input').fill('debug');
  await row('log.filter').locator('input').press('Enter');
  await page.waitForFunction(() => document.querySelector('[data-key="log.filter"] [data-testid=value]')?.textContent === 'debug');
  await holds(async () => assert.equal(await page.getByTestId('needs-restart').count(), 0));
});

test('what environment or flag set is shown so and not offered; entries are added and removed', async () => {
  await at('settings/config', 'serving');
  const row = (key) => page.locator(`[data-key="${key}"]`);
  await row('network').waitFor();
  await holds(async () => assert.match(await row('stop_within_s').innerText(), /environment variable HEARTH_STOP_WITHIN_S/));
  await holds(async () => assert.equal(await row('network').getByRole('button').count(), 0));
  const servers = page.getByTestId('add-backends');
  await servers.getByRole('button').click();
  await page.locator('#backends-name').fill('big');
  await page.locator('#backends-value').fill('http://10.0.0.5:8000');
  await servers.getByRole('button', { name: 'Add' }).click();
  await row('backends.big.url').waitFor();
  await row('models.aliases.gpt-4.1').getByRole('button').click();
  await row('models.aliases.gpt-4.1').getByRole('button', { name: 'Remove models.aliases.gpt-4.1' }).click();
  await page.getByTestId('needs-restart').waitFor();
  await holds(async () => assert.deepEqual(mock.calls.findLast((call) => call.name === 'PATCH /config').body, { changes: [{ key: 'models.aliases.gpt-4.1', value: null }] }));
});

test('a file that cannot be read and a program that cannot start itself are said', async () => {
  const change = ({ it }) => Object.assign(it.config, { problem: 'a setting has a value of the wrong form', needs_restart: true, can_restart: false });
  await at('settings/config', 'serving', { change, dark: true });
  await page.getByText('cannot be read as it is now').waitFor();
  await holds(async () => assert.match(await page.getByTestId('needs-restart').innerText(), /Quit Hearth and start it again/));
  await clean('settings-config-broken');
});

const deepseek = (await import('./mock/world.mjs')).scenarios.serving().models.find((one) => one.kind === 'local' && one.task === 'chat');
