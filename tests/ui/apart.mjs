// Two real nodes in one browser, as two people would use them, each from nothing: at home are the owner's key and the
// money, elsewhere stands the computer that answers. Every step is a click: wallets, play money, a model, a service, a
// stake that is signed at home and sent from there, a gateway, an application, a question, and its settlement.
//
//   node tests/ui/apart.mjs HOME_URL_WITH_TOKEN SERVER_URL_WITH_TOKEN MODEL_FILE RELAY_URL
//
// $LIVE_SECONDS is the time that all of it may take (420).
import assert from 'node:assert/strict';
import { faults, launch, open, shoot } from './support.mjs';

const [homeUrl, serverUrl, model, relays] = process.argv.slice(2);
if (!relays) {
  console.error('usage: node tests/ui/apart.mjs HOME_URL_WITH_TOKEN SERVER_URL_WITH_TOKEN MODEL_FILE RELAY_URL');
  process.exit(2);
}
const SERVICE = 'apart';
const PASSWORD = 'correct horse battery';
const started = Date.now();
const limit = Number(process.env.LIVE_SECONDS ?? 420) * 1000;
const left = () => Math.max(1000, limit - (Date.now() - started));
const say = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);

/** One of the two nodes: its page, and what is done on it. */
class Person {
  constructor(page, name, url) {
    Object.assign(this, { page, name, url });
    page.setDefaultTimeout(60_000);
  }

  async visit(path) {
    await this.page.goto(new URL(path, this.url).href);
    await this.page.locator('main h1').first().waitFor({ state: 'attached' });
  }

  button(name, within = this.page) {
    return within.getByRole('button', { name, exact: true });
  }

  sheet(id) {
    return this.page.getByTestId(id);
  }

  async createsWallet() {
    await this.visit('/wallet');
    await this.button('Create wallet').first().click();
    const sheet = this.sheet('create-wallet');
    await sheet.getByLabel('New password', { exact: false }).first().fill(PASSWORD);
    await this.page.locator('#create-again').fill(PASSWORD);
    await this.button('Create wallet', sheet).click();
    await this.button('Later', sheet).click();
    await this.sheet('accounts').waitFor();
    say(`${this.name}: a wallet`);
  }

  async address(label) {
    return (await read(this.page, '/wallet')).accounts.find((one) => one.label === label).address;
  }

  /** The password, where it is asked for: not of a key that is open. */
  async tells(field) {
    const password = this.page.locator(field);
    if (await password.isVisible()) await password.fill(PASSWORD);
  }

  /** Fills a role's form, looks at what is signed, signs. */
  async signs(fill) {
    const sheet = this.sheet('role-sheet');
    await sheet.waitFor();
    if (fill) {
      await fill(sheet);
      await this.button('Look before you sign', sheet).click();
    }
    await this.page.locator('#role-review').waitFor();
    await this.tells('#role-password');
    await this.button('Sign', sheet).click();
    const outcome = this.sheet('role-outcome');
    await outcome.waitFor({ timeout: left() });
    assert.match(await outcome.innerText(), /Done/);
    await this.button('Done', sheet).click();
    await sheet.waitFor({ state: 'detached' });
  }

  async takes(role, fill) {
    await this.visit('/wallet');
    await this.button('Take', this.sheet(`role-${role}`)).click();
    await this.signs(fill);
    say(`${this.name}: staked as ${role}`);
  }

  async pays(to, amount) {
    await this.visit('/wallet');
    await this.page.getByTestId('send-open').click();
    const sheet = this.sheet('send-sheet');
    await sheet.locator('#send-to').fill(to);
    await sheet.locator('#send-amount').fill(amount);
    await this.button('Review payment', sheet).click();
    await sheet.locator('#send-review').waitFor();
    await this.tells('#send-password');
    await sheet.getByRole('button', { name: /^Send .* POKT$/ }).click();
    await this.button('Done', sheet).click({ timeout: left() });
    say(`${this.name}: ${amount} POKT sent`);
  }

  async makesService() {
    await this.visit('/wallet');
    await this.button('Make a service', this.sheet('services')).click();
    await this.signs(async (sheet) => {
      await sheet.locator('#role-service').fill(SERVICE);
      await sheet.locator('#role-name').fill('Two computers');
      await sheet.locator('#role-units').fill('100');
    });
    say(`${this.name}: a service`);
  }

  /** What a link gives to save. */
  async saves(link) {
    const href = await link.getAttribute('href');
    return decodeURIComponent(href.slice(href.indexOf(',') + 1));
  }
}

/** What the node tells the page: with its cookie and its key. */
const read = (page, path) =>
  page.evaluate(async (path) => {
    const headers = { 'X-Hearth-Page': localStorage.getItem('hearth.page-key') };
    return (await fetch(`/api/v1${path}`, { headers })).json();
  }, path);

async function has(page, path, probe) {
  for (;;) {
    const answer = await read(page, path);
    if (probe(answer)) return answer;
    assert.ok(Date.now() - started < limit, `${path} did not come to what was waited for: ${JSON.stringify(answer).slice(0, 2000)}`);
    await page.waitForTimeout(500);
  }
}

/** What is staked for the operator is signed by its owner: a file goes there and back. */
async function staked(server, home) {
  await server.visit('/setup/role');
  await unfolds(server.page, 'stake');
  await server.button('Stake', server.page.locator('[data-need=stake]')).click();
  const sheet = server.sheet('role-sheet');
  await supplierForm(sheet);
  await server.button('Look before you sign', sheet).click();
  await server.sheet('unsigned').waitFor();
  await shoot(server.page, 'apart-unsigned');
  const unsigned = await server.saves(server.page.getByRole('link', { name: 'Save unsigned.json' }));

  await home.visit('/wallet');
  await home.button('Sign for another node').click();
  await home.page.locator('#signed-file').setInputFiles({ name: 'unsigned.json', mimeType: 'application/json', buffer: Buffer.from(unsigned) });
  await home.page.getByTestId('sign-approve').waitFor();
  await home.tells('#sign-password');
  await shoot(home.page, 'apart-signing');
  await home.page.getByTestId('sign-approve').click();
  const signed = await home.saves(home.page.getByTestId('sign-save'));
  await server.page.locator('#signed-file').setInputFiles({ name: 'signed.json', mimeType: 'application/json', buffer: Buffer.from(signed) });
  await sheet.waitFor({ state: 'detached', timeout: left() });
  say('server: the stake, signed at home');
}

async function supplierForm(sheet) {
  const stake = sheet.getByLabel('Stake, all together');
  if ((await stake.inputValue()) === '') await stake.fill('20');
  await sheet.locator('#role-service-0').fill(SERVICE);
  await sheet.locator('#role-url-0').fill(relays);
}

/** What is needed next lies open already. */
async function unfolds(page, need) {
  const one = page.locator(`[data-need=${need}]`);
  if (!(await one.locator('details').evaluate((details) => details.open))) await one.locator('summary').click();
}

/** The operator's computer: a model, its service, the owner's address, all in the first run's own steps. */
async function prepares(server, owner) {
  const { page } = server;
  await server.visit('/setup/model');
  await server.button('I have a file').click();
  await page.locator('#add-path').fill(model);
  await server.button('Add file', server.sheet('add-model')).click();
  await page.getByText('Here already:').waitFor({ timeout: left() });
  say('server: a model from a file');

  await server.visit('/wallet');
  // The main key was the owner; the owner is elsewhere.
  await server.button('Manage Main key').click();
  const sheet = server.sheet('account-sheet');
  await sheet.getByRole('checkbox', { name: /^Owner/ }).uncheck();
  await page.locator('#account-password').fill(PASSWORD);
  await server.button('Save', sheet).click();
  await sheet.waitFor({ state: 'detached' });
  await page.getByTestId('account-add').click();
  const adding = server.sheet('add-account-sheet');
  await adding.getByRole('radio', { name: 'Address' }).click();
  await page.locator('#add-address').fill(owner);
  await page.locator('#add-label').fill('boss');
  const isOwner = adding.getByRole('checkbox', { name: /^Owner/ });
  if (!(await isOwner.isChecked())) await isOwner.check();
  await server.button('Add account', adding).click();
  await adding.waitFor({ state: 'detached' });
  say('server: the owner is watched');

  await server.visit('/setup/role');
  await page.getByRole('radio', { name: /Earn with your own stake/ }).check();
  await unfolds(page, 'service');
  await page.locator('#need-service').fill(SERVICE);
  await server.button('Save', page.locator('[data-need=service]')).click();
  await page.locator('[data-need=service]').getByText(`${SERVICE} =`).waitFor();
  await unfolds(page, 'url');
  await page.locator('#need-url').fill(relays);
  await server.button('Save', page.locator('[data-need=url]')).click();
  assert.deepEqual(await faults(page), []);
  await shoot(page, 'apart-needs');
}

/** What was set counts from the next start on, which the page makes. */
async function restarts(server) {
  const { page } = server;
  await unfolds(page, 'restart');
  await server.button('Restart Hearth', page.locator('[data-need=restart]')).click();
  await server.button('Restart Hearth', page.getByRole('alertdialog')).click();
  await page.getByTestId('restarting').waitFor();
  await page.getByTestId('restarting').waitFor({ state: 'detached', timeout: left() });
  say('server: started anew');
}

/** The operator says itself what it serves, once the stake is there. */
async function offers(server) {
  const { page } = server;
  await has(page, '/roles', (roles) => roles.supplier);
  await server.visit('/wallet');
  await server.button('Change', server.sheet('role-supplier')).click();
  await server.signs(supplierForm);
  await server.visit('/earn');
  await server.button('Start earning').first().click();
  await has(page, '/status', ({ earning }) => ['idle', 'serving'].includes(earning.state));
  say('server: the service is offered, and it earns');
}

async function bought(home) {
  const { page } = home;
  const id = `pocket/${SERVICE}`;
  await has(page, '/models', ({ models }) => models.some((one) => one.id === id && one.state === 'ready'));
  await home.visit('/chat');
  await page.getByTestId('model-picker').click();
  await page.locator(`.model[data-model="${id}"]`).click();
  await page.getByTestId('composer').fill('Who answers?');
  await page.keyboard.press('Enter');
  const over = () => page.locator('[data-testid=answer]:not([data-state=streaming])').last().waitFor({ timeout: left() });
  await over();
  // The session in which the supplier staked has none yet: a person would press Try again, too.
  while ((await page.getByTestId('answer').last().getAttribute('data-state')) === 'failed' && left() > 5000) {
    await page.waitForTimeout(2000);
    await home.button('Try again', page.getByTestId('answer-error')).click();
    await page.locator('[data-testid=answer][data-state=streaming]').waitFor({ timeout: 5000 }).catch(() => {});
    await over();
  }
  assert.match(await page.getByTestId('answer').last().getAttribute('data-state'), /done|cut/);
  await shoot(page, 'apart-bought');
  say('home: an answer was bought');
}

async function settled(server, home, operator) {
  const { sessions } = await has(server.page, '/earning/sessions', ({ sessions }) => sessions.some((one) => one.state === 'settled'));
  const one = sessions.find((session) => session.state === 'settled');
  await server.visit('/earn');
  await server.page.locator(`tr[data-session="${one.id}"][data-state=settled]`).waitFor({ timeout: left() });
  assert.deepEqual(await faults(server.page), []);
  await shoot(server.page, 'apart-earned');
  // At home the stake is the owner's own money.
  await home.visit('/wallet');
  const isStake = (place) => place.address === operator && place.kind === 'supplier';
  const { places } = await has(home.page, '/wallet/balances', ({ places }) => places.some(isStake));
  assert.equal(places.find(isStake).amount, '20000000');
  await shoot(home.page, 'apart-home');
  say(`server: settled, ${one.amount} upokt to the owner`);
}

const browser = await launch();
try {
  const home = new Person(await open(browser, homeUrl), 'home', homeUrl);
  const server = new Person(await open(browser, serverUrl), 'server', serverUrl);
  await home.page.getByTestId('composer').waitFor();
  // A network that was joined does not set itself up, and there is no wallet: the first run opens by itself.
  await server.page.getByTestId('first-step').waitFor();
  await home.createsWallet();
  for (const pokt of [100n, 200n, 300n]) {
    await home.page.getByTestId('faucet').click();
    await has(home.page, '/wallet/balances', ({ total }) => BigInt(total ?? 0) >= pokt * 1_000_000n);
  }
  say('home: play money');
  await server.createsWallet();
  const operator = await server.address('working');
  await home.pays(operator, '10');
  await home.makesService();
  await prepares(server, await home.address('main'));
  await restarts(server);
  await staked(server, home);
  await offers(server);
  await home.takes('gateway', (sheet) => sheet.getByLabel('Stake, all together').fill('1'));
  await home.takes('application', async (sheet) => {
    await sheet.getByLabel('Stake, all together').fill('150');
    await sheet.locator('#role-service').fill(SERVICE);
  });
  await home.visit('/wallet');
  await home.button('Let the own gateway sign').click();
  await home.signs();
  say('home: the gateway signs for the application');
  await bought(home);
  await settled(server, home, operator);
  for (const person of [home, server]) assert.deepEqual(person.page.wrong, []);
  say('apart: ok');
} catch (error) {
  for (const context of browser.contexts()) for (const page of context.pages()) await shoot(page, `apart-failed-${new URL(page.url()).port}`);
  say(`apart: failed: ${error.message}`);
  console.error(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
