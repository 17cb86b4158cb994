// With the keyboard alone: every stop of Tab is in sight and marked, a sheet keeps the focus and gives it back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enter, holds, mock, page, stage } from './support.mjs';

stage();

/** What has the focus: its name, and what is wrong with how it is shown. */
const focused = () =>
  page.evaluate(() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    // A field that is drawn by its label is marked there.
    const drawn = one.getBoundingClientRect().width <= 2 ? (one.closest('label') ?? one) : one;
    const { left, top, right, bottom } = drawn.getBoundingClientRect();
    const [x, y] = [(Math.max(left, 0) + Math.min(right, innerWidth)) / 2, (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
    const hit = document.elementFromPoint(x, y);
    // A field may be marked by the box that is drawn around it.
    const isMarked = [drawn, drawn.parentElement, drawn.parentElement?.parentElement].some((box) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(box);
      return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    });
    const faults = [];
    if (right <= 0 || left >= innerWidth || bottom <= 0 || top >= innerHeight) faults.push('out of sight');
    else if (!hit || !(drawn.contains(hit) || hit.contains(drawn))) faults.push(`below ${hit?.outerHTML.slice(0, 80)}`);
    if (!isMarked) faults.push('not marked');
    window.stops ??= new Map();
    if (!window.stops.has(one)) window.stops.set(one, window.stops.size);
    const name = `${one.tagName.toLowerCase()} ${one.getAttribute('aria-label') ?? one.id ?? ''} ${one.textContent.trim().replace(/\s+/g, ' ').slice(0, 40)}`;
    return { name, at: window.stops.get(one), faults, inSheet: one.closest('[role=dialog], [role=alertdialog]') !== null };
  });

const MOST_STOPS = 300;
/** Goes on with Tab, past the end of the page, until it comes to a place where it was; gives all stops. */
async function walk(key = 'Tab') {
  const stops = [];
  let past = 0;
  await page.evaluate(() => (window.stops = new Map()));
  for (let step = 0; step < MOST_STOPS; step += 1) {
    await page.keyboard.press(key);
    const now = await focused();
    if (!now) {
      past += 1;
      continue;
    }
    if (now.at < stops.length) return { stops, past };
    stops.push(now);
  }
  assert.fail(`${MOST_STOPS} stops, and no end`);
}
const wrong = (stops) => stops.filter((one) => one.faults.length > 0).map(({ name, faults }) => `${name}: ${faults}`);

for (const [path, ready, least] of [['wallet', 'activity', 40], ['chat/c1', 'receipt', 12], ['chat', 'composer', 10], ['earn', 'sessions', 15], ['models', 'local-models', 12], ['network', 'height', 12], ['settings/config', 'config', 20]]) {
  test(`every stop of Tab on ${path} is in sight and marked`, async () => {
    await enter('');
    await page.goto(`${mock.url}/${path}`);
    await page.getByTestId(ready).first().waitFor();
    await page.waitForTimeout(150);
    const { stops } = await walk();
    assert.deepEqual(wrong(stops), []);
    assert.ok(stops.length >= least, `${stops.length} stops`);
  });
}

const sheet = () => page.locator('[role=dialog], [role=alertdialog]');
/** What `open` opens takes the focus, keeps it both ways, and gives it back to `from` at Escape. */
async function keeps(name, from, open) {
  await from.focus();
  await open();
  await sheet().waitFor();
  await holds(async () => assert.ok((await focused())?.inSheet, `${name} takes the focus`));
  await page.waitForTimeout(100);
  for (const key of ['Tab', 'Shift+Tab']) {
    const { stops, past } = await walk(key);
    const out = stops.filter((one) => !one.inSheet).map((one) => one.name);
    assert.deepEqual([wrong(stops), out, past], [[], [], 0], `${name} ${key}`);
    assert.ok(stops.length > 0, `${name} ${key}`);
  }
  await page.keyboard.press('Escape');
  await sheet().waitFor({ state: 'detached' });
  await holds(async () => assert.ok(await from.evaluate((one) => one === document.activeElement), `${name} gives the focus back`));
}
const enterKey = () => page.keyboard.press('Enter');

/** The buttons of the wallet that open a sheet, by the place that they stand in. */
const openers = [
  ['main', /^Send$/], ['main', /^Receive$/], ['[data-testid=roles]', /^Change$/], ['[data-testid=roles]', /^Give up$/], ['[data-testid=roles]', /sign/i],
  ['[data-testid=services]', /^Make a service$/], ['[data-testid=services]', /^Look at/], ['[data-testid=contacts]', /^Add contact$/], ['[data-testid=contacts]', /^Delete/],
  ['[data-testid=accounts]', /^Manage Main key/], ['[data-testid=accounts]', /^Add account/], ['[data-testid=transactions]', /^Sign/],
];
test('each sheet of the wallet, its roles and transactions keeps the focus and gives it back', async () => {
  await enter('wallet', { ready: 'activity' });
  for (const [where, name] of openers) await keeps(String(name), page.locator(where).getByRole('button', { name }).first(), enterKey);
});

test('what the chat opens keeps the focus and gives it back', async () => {
  await enter('chat/c1', { ready: 'composer' });
  for (const id of ['model-picker', 'parameters', 'receipt']) await keeps(id, page.getByTestId(id).first(), enterKey);
  await keeps('the palette', page.getByTestId('composer'), () => page.keyboard.press('Control+k'));
  await keeps('the list of keys', page.getByTestId('model-picker'), () => page.keyboard.press('?'));
});
