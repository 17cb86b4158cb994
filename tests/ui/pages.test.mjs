// Every page and state: axe finds nothing, nothing sticks out, nothing leaves the node, nothing is asked for in vain, in
// light and dark and at the four widths of the layout. The screenshots lie in $UI_SHOTS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enter, faults, mock, page, shoot, sidewards, stage } from './support.mjs';

stage();

const pages = [
  ['chat', 'h1'],
  ['chat/c1', '[data-testid=receipt]'],
  ['earn', '[data-testid=sessions] tbody tr, [data-testid=why]'],
  ['models', '[data-testid=local-models]'],
  ['wallet', '[data-testid=where]'],
  ['setup/computer', '[data-testid=first-step]'],
  ['network', '[data-testid=height]'],
  ['settings', '[data-testid=language]'],
  ['settings/config', '[data-testid=config] li'],
  ['settings/access', '#login-password'],
  ['settings/keys', '[data-testid=api-keys]'],
  ['usage', '[data-testid=usage] tbody tr'],
  ['settings/backup', '[data-testid=backup]'],
  ['settings/doctor', '[data-testid=doctor] li'],
  ['settings/about', '[data-testid=licences] li'],
];

async function visit(scenario, list, options) {
  await enter('', { scenario, ...options });
  const found = [];
  for (const [path, ready] of list) {
    await page.goto(`${mock.url}/${path}`);
    await page.locator(`main`).first().waitFor();
    if (ready) await page.locator(ready).first().waitFor();
    await page.waitForTimeout(150);
    const name = `${scenario}-${path.replaceAll('/', '-')}-${options.size ?? 'normal'}-${options.dark ? 'dark' : 'light'}`;
    await shoot(page, name);
    for (const fault of [...(await sidewards(page)), ...(await faults(page))]) found.push(`${name}: ${fault}`);
  }
  assert.deepEqual([...found, ...mock.refused], []);
}

for (const dark of [false, true]) {
  test(`all pages, ${dark ? 'dark' : 'light'}, 1280`, () => visit('serving', pages, { dark }));
  test(`set-up and nothing there yet, ${dark ? 'dark' : 'light'}`, async () => {
    await visit('setup', [['chat', 'h1'], ['earn', '[data-testid=setup]']], { dark });
    await visit('empty', [['chat', 'h1'], ['earn', '[data-testid=why]'], ['models', 'h1'], ['wallet', 'h1'], ['network', 'h1'], ['settings/keys', 'h1']], { dark });
  });
  test(`off, locked, stale, lied, ${dark ? 'dark' : 'light'}`, async () => {
    await visit('off', [['earn', '[data-testid=why] li']], { dark });
    await visit('locked', [['wallet', '[data-testid=where]'], ['network', '[data-testid=height]'], ['earn', 'h1']], { dark });
  });
}

for (const size of ['phone', 'small', 'wide']) {
  test(`all pages at ${size}`, () => visit('devnet', pages, { size, dark: size === 'small', hasTouch: size === 'phone' }));
}

test('more contrast', () => visit('serving', [['earn', '[data-testid=sessions]'], ['wallet', '[data-testid=where]']], { contrast: 'more' }));
