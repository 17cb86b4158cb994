// The browser against a real node. Given its URL with the token (first argument or $HEARTH_URL) it waits for the set-up
// to end, chats with the network model, sees the answer with its receipt, waits until a session is settled, compares
// the reward on the page with what the settlement arithmetic gives for its answers, and visits all pages with axe. It
// prints one line per step and ends with 0 if all went well.
//
//   node tests/ui/live.mjs 'http://127.0.0.1:4327/#token=…'
//
// $LIVE_SECONDS is the time all of it may take (180) from $LIVE_STARTED on (seconds since the epoch; now), $LIVE_MODEL
// the model to chat with (the first of the network).
import assert from 'node:assert/strict';
import { faults, launch, open, shoot } from './support.mjs';

const given = process.argv[2] ?? process.env.HEARTH_URL;
if (!given) {
  console.error('usage: node tests/ui/live.mjs URL_WITH_TOKEN');
  process.exit(2);
}
const url = new URL(given);
const token = /^#token=(.+)$/.exec(url.hash)?.[1];
const limit = Number(process.env.LIVE_SECONDS ?? 180) * 1000;
const started = process.env.LIVE_STARTED ? Number(process.env.LIVE_STARTED) * 1000 : Date.now();
const left = () => Math.max(1000, limit - (Date.now() - started));
const say = (text) => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`);

/** What the API says, asked beside the page and not through it. */
async function ask(path) {
  const response = await fetch(new URL(`/api/v1${path}`, url), { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200, `${path} answered ${response.status}`);
  return response.json();
}

async function until(what, probe, everyMs = 500) {
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() - started < limit, `${what}: did not happen within ${limit / 1000} s`);
    await new Promise((done) => setTimeout(done, everyMs));
  }
}

const grouped = (upokt) => {
  const [whole, rest] = [BigInt(upokt) / 1_000_000n, BigInt(upokt) % 1_000_000n];
  return `${new Intl.NumberFormat('en-US').format(whole)}.${rest.toString().padStart(6, '0')}`;
};

/** What comes to this node of a claim, which owns both the supplier and the service: the shares of what is minted for
 * the burn and of inflation, with mainnet's parameters, which the devnet takes over. Each share is rounded down. */
function shareOf(claim) {
  const minted = (claim * 975n) / 1000n;
  const inflation = (claim + 999_999n) / 1_000_000n;
  return (minted * 79n) / 100n + (minted * 25n) / 1000n + (inflation * 8n) / 10n + inflation / 10n;
}

async function waitForSetup(page) {
  const sawSteps = await page
    .getByTestId('setup')
    .waitFor({ timeout: 3000 })
    .then(() => true, () => false);
  say(sawSteps ? 'the set-up shows its steps' : 'the set-up was over before the page stood');
  if (sawSteps) await shoot(page, 'live-setup');
  await until('the set-up', async () => {
    const { setup } = await ask('/status');
    const failed = setup.steps.find((step) => step.state === 'failed');
    assert.ok(!failed, `the set-up failed at ${failed?.id}: ${failed?.error}`);
    return setup.done;
  });
  await page.getByTestId('setup').waitFor({ state: 'detached', timeout: left() });
  await page.getByTestId('devnet').waitFor({ timeout: 5000 });
  say('the set-up is done');
}

async function chat(page) {
  const model = await until('a network model', async () => {
    const { models } = await ask('/models');
    const usable = models.filter((one) => one.kind === 'network' && ['ready', 'loaded'].includes(one.state));
    return process.env.LIVE_MODEL ? usable.find((one) => one.id === process.env.LIVE_MODEL) : usable[0];
  });
  await page.getByTestId('model-picker').click();
  await page.locator(`.model[data-model="${model.id}"]`).click({ timeout: left() });
  await page.getByTestId('composer').fill('What is a hearth? Answer in one sentence.');
  await page.keyboard.press('Enter');
  const answer = page.getByTestId('answer').last();
  await answer.waitFor({ timeout: left() });
  const ended = () => page.locator('[data-testid=answer]:not([data-state=streaming])').last().waitFor({ timeout: left() });
  await ended();
  // The session in which the supplier staked has none yet: a person would press Try again, too.
  while ((await answer.getAttribute('data-state')) === 'failed' && left() > 5000) {
    say(`refused, trying again: ${(await page.getByTestId('answer-error').innerText()).split('\n')[0].slice(0, 100)}`);
    await page.waitForTimeout(3000);
    await page.getByTestId('answer-error').getByRole('button', { name: 'Try again' }).click();
    await page.locator('[data-testid=answer][data-state=streaming]').waitFor({ timeout: 5000 }).catch(() => {});
    await ended();
  }
  const state = await answer.getAttribute('data-state');
  const text = await answer.innerText();
  assert.ok(['done', 'cut'].includes(state), `the answer ended as ${state}: ${text}`);
  assert.ok(text.trim().length > 10, `the answer is too short: ${text}`);
  await page.getByTestId('receipt').last().click();
  const receipt = await page.getByTestId('receipt-body').last().innerText();
  assert.match(receipt, /Supplier\s*pokt1/);
  assert.match(receipt, /All parts verified|signature/);
  await shoot(page, 'live-chat');
  await page.keyboard.press('Escape');
  say(`${model.id} answered, with receipt`);
}

async function settled(page) {
  await page.goto(new URL('/earn', url).href);
  await page.getByTestId('sessions').waitFor({ timeout: left() });
  const before = await page.getByTestId('block').innerText();
  await until('a new block on the page', async () => (await page.getByTestId('block').innerText()) !== before, 200);
  say('blocks tick');
  const session = await until('a settled session', async () => (await ask('/earning/sessions')).sessions.find((one) => one.state === 'settled'));
  const price = (await ask('/network')).services.find((one) => one.id === session.service).price;
  const claim = BigInt(session.answers) * BigInt(price);
  assert.equal(session.settled, claim.toString(), 'the whole claim, of which others get their shares');
  const reward = session.amount;
  assert.ok(!session.estimated, 'the reward is what the chain paid');
  assert.equal(reward, shareOf(claim).toString(), 'what came to this node');
  const row = page.locator(`tr[data-session="${session.id}"][data-state=settled]`);
  await row.waitFor({ timeout: left() });
  // The shares are known a moment after the settlement; the page reads them with the next block.
  await until('the reward on the page', async () => (await row.getAttribute('data-settled')) === reward);
  assert.ok((await row.innerText()).includes(grouped(reward)), `the row says ${await row.innerText()}, the API ${reward}`);
  await row.click();
  assert.match(await page.getByTestId('settled').innerText(), new RegExp(grouped(reward).replaceAll('.', '\\.')));
  await shoot(page, 'live-settled');
  await page.keyboard.press('Escape');
  say(`session ${session.start_height} is settled: ${grouped(reward)} POKT, as the arithmetic says`);
}

async function proven(page) {
  await page.goto(new URL('/wallet', url).href);
  await page.locator('[data-testid=where] [data-testid=proof][data-trust=proven]').first().waitFor({ timeout: left() });
  // Both in one look: a block may settle something between two.
  const { total, parts } = await page.evaluate(() => ({
    total: document.querySelector('[data-testid=total]').dataset.amount,
    parts: [...document.querySelectorAll('[data-place]')].map((one) => one.dataset.amount),
  }));
  assert.equal(parts.reduce((sum, one) => sum + BigInt(one), 0n).toString(), total, 'the rows do not add up to the total');
  say(`the wallet holds ${grouped(total)} POKT, proven`);
}

async function visitAll(page, dark) {
  const pages = ['chat', 'earn', 'models', 'wallet', 'network', 'settings', 'settings/config', 'settings/access', 'settings/keys', 'usage', 'settings/doctor', 'settings/about'];
  const found = [];
  for (const path of pages) {
    await page.goto(new URL(`/${path}`, url).href);
    await page.locator('main h1').first().waitFor({ state: 'attached', timeout: 15_000 });
    await page.waitForTimeout(1200);
    await shoot(page, `live-${path.replaceAll('/', '-')}-${dark ? 'dark' : 'light'}`);
    for (const fault of await faults(page)) found.push(`${path}: ${fault}`);
    for (const error of await page.getByTestId('error').allInnerTexts()) found.push(`${path} shows an error: ${error}`);
  }
  assert.deepEqual([...found, ...page.wrong], []);
  say(`all ${pages.length} pages are clean in ${dark ? 'dark' : 'light'}`);
}

/** Why there is no page to look at, or null: a program can be built without it, and nothing would ever appear. */
async function missingPage() {
  const response = await fetch(new URL('/', url)).catch((error) => error);
  if (response instanceof Error) return `nobody answers at ${url.origin} (${response.cause?.message ?? response.message})`;
  const text = await response.text();
  if (response.ok && /<script[^>]*\ssrc="[^"]*assets\//.test(text)) return null;
  return `the Hearth at ${url.origin} was built without its page (status ${response.status}): xtask/sh/build_ui.sh builds the page, then build the program again`;
}

const missing = await missingPage();
if (missing) {
  console.error(`live: ${missing}`);
  process.exit(1);
}
const browser = await launch();
try {
  const page = await open(browser, url.href);
  await page.getByTestId('composer').waitFor({ timeout: left() });
  assert.equal(new URL(page.url()).hash, '', 'the token is still in the address line');
  say('signed in with the token of the URL');
  await waitForSetup(page);
  await chat(page);
  await settled(page);
  await proven(page);
  await visitAll(page, false);
  const dark = await open(browser, url.href, { dark: true });
  await dark.getByTestId('composer').waitFor();
  await visitAll(dark, true);
  say('live: ok');
} catch (error) {
  say(`live: failed: ${error.message}`);
  console.error(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
