// What the browser tests share: the stage, the browser, axe, screenshots. The packages are those of ui/.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';
import { Mock } from './mock/server.mjs';

const require = createRequire(new URL('../../ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = require('axe-core').source;

export const SHOTS = process.env.UI_SHOTS ?? join(tmpdir(), 'hearth-ui-shots');
export const SIZES = { phone: [360, 740], small: [800, 600], normal: [1280, 800], wide: [1920, 1080] };

const PATIENCE_MS = 60_000;
// `UI_SLOWER=6` gives the page a sixth of the processor, `UI_LATE=400` (see the mock) answers late: what fails then
// depends on speed.
const SLOWER = Number(process.env.UI_SLOWER ?? 1);

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

/** What is on the stage: the browser of all tests of a file, and the node and its page of the test that runs. */
export let browser, mock, page;

/** Sets the stage for the tests of a file. After each, nothing may have gone wrong in the page nor in the node. */
export function stage() {
  before(async () => (browser = await launch()));
  after(() => browser.close());
  afterEach(leave);
}

/**
 * A new node and its page. `change`: of the node, before it is asked anything; `ready`: the test id of what is waited for;
 * the rest is of `open`. Whoever is on the stage already leaves it.
 */
export async function enter(path, { scenario = 'serving', change, ready, ...options } = {}) {
  await leave();
  mock = await new Mock(scenario).start();
  change?.(mock);
  page = await open(browser, mock.link(path), options);
  // What is shown while the page still connects has a heading, too.
  await (ready ? page.getByTestId(ready).waitFor() : page.locator('#main h1').first().waitFor({ state: 'attached' }));
}

async function leave() {
  const wrong = [...(page?.wrong ?? []), ...(mock?.faults ?? [])];
  await page?.context().close();
  await mock?.stop();
  page = mock = undefined;
  assert.deepEqual(wrong, []);
}

/** A picture of the page as it stands now, in which axe finds nothing and nothing sticks out. */
export async function clean(name) {
  await page.waitForTimeout(150);
  await shoot(page, name);
  assert.deepEqual([...(await faults(page)), ...(await sidewards(page))], []);
}

/** A page that counts everything that went wrong in it and every request that left the node. */
export async function open(browser, url, { size = 'normal', width = SIZES[size][0], height = SIZES[size][1], dark = false, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
    locale: 'en-US',
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  const page = await context.newPage();
  // What a test waits for comes, however slow the computer is: only what never comes fails.
  page.setDefaultTimeout(PATIENCE_MS);
  if (SLOWER > 1) await (await context.newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  page.wrong = [];
  page.on('pageerror', (error) => page.wrong.push(`error: ${error.message}`));
  page.on('console', (line) => {
    // Refusals that a test asks for are seen as "Failed to load resource"; the tests look at what the page says then.
    if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) page.wrong.push(`console: ${line.text()}`);
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== new URL(url).origin && !['data:', 'blob:'].includes(protocol)) page.wrong.push(`left the node: ${request.url()}`);
  });
  await page.goto(url);
  // Whoever leaves the page while it signs in has the cookie and no key of the page.
  if (new URL(url).hash.startsWith('#token=')) await page.waitForFunction(() => localStorage.getItem('hearth.page-key'));
  return page;
}

/** That something is so, now or soon: what a page shows comes after what a test did. */
export async function holds(check) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Asks in the chat that is open, as soon as one may. */
export async function ask(page, text) {
  await page.getByTestId('composer').fill(text);
  // While an answer is on its way there is Stop in its place.
  await page.locator('[data-testid=send]:not([aria-disabled=true])').waitFor();
  await page.keyboard.press('Enter');
}

/** What is wrong with a page that still is once it stands still: what is only on its way is no fault. */
async function lasting(look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found.length === 0 || Date.now() > end) return found;
    await new Promise((done) => setTimeout(done, 200));
  }
}

/** What axe finds, as one line per fault; empty if the page is clean. */
export const faults = (page) => lasting(() => found(page));

async function found(page) {
  await page.evaluate(`window.axe || (${'function(){'}${axe}${'}'})()`);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  // Menus and popovers lie at the end of the body, outside all landmarks, while they are open.
  const floating = await page.evaluate(() => [...document.querySelectorAll('[data-bits-floating-content-wrapper], [data-bits-floating-content-wrapper] *')].map((one) => `#${one.id}`));
  const counts = (id, node) => id !== 'region' || !floating.includes(node.target[0].split(' ')[0]);
  return violations.flatMap(({ id, nodes }) => nodes.filter((node) => counts(id, node)).map((node) => `${id}: ${node.target.join(' ')} ${node.html.slice(0, 160)} ${node.failureSummary.replaceAll(/\s+/g, ' ')}`));
}

export async function shoot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** Whether anything sticks out of the window sideways. */
export const sidewards = (page) => lasting(() => page.evaluate(stickingOut));

const stickingOut = () => {
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth > width + 1 ? [`page is ${document.documentElement.scrollWidth} wide`] : [];
  const main = document.querySelector('main');
  if (main && main.scrollWidth > main.clientWidth + 1) wide.push(`main is ${main.scrollWidth} of ${main.clientWidth} wide`);
  return wide;
};
