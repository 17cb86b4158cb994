// Services that accounts of the wallet own: listed with what this node knows of them, made, changed, their cards read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FOREIGN } from './mock/accounts.mjs';
import { ADDRESSES } from './mock/world.mjs';
import { clean, enter, holds, mock, page, stage } from './support.mjs';

stage();
const at = ({ change, ...options } = {}) => enter('wallet', { ready: 'services', change: ({ it }) => change?.(it), ...options });
const mine = () => page.getByTestId('services');
const row = (id) => mine().locator(`[data-service=${id}]`);
const reviewed = () => mock.calls.findLast((call) => call.name === 'POST /roles/review')?.body;
const look = (id) => row(id).getByRole('button', { name: `Look at ${id}` }).click();
const card = { schema: 'pocket-service-card/v1', rpc: ['REST'], note: '<img src=x onerror=alert(1)>' };

test('own services show their units, what was served and asked here, and what is not known', async () => {
  const change = (it) => {
    it.usage.sums.push({ asker: 'key', key_id: 'k1', key_name: 'editor', model: 'pocket/llm-r1-14b', counts: { requests: 5, errors: 0, prompt_tokens: 9, completion_tokens: 9, cost: '1313910' } });
    it.usage.total += 1;
  };
  await at({ change });
  await row('llm-r1-14b').getByText('Served here:').waitFor();
  const served = mock.it.sessions.filter((one) => one.service === 'llm-r1-14b');
  const answers = served.reduce((sum, one) => sum + one.answers, 0);
  const text = await row('llm-r1-14b').innerText();
  assert.match(text, /DeepSeek R1 14B.*llm-r1-14b\s+1,000,000 compute units an answer, .*owned by Main key/);
  assert.ok(text.includes(`Served here: ${answers.toLocaleString('en-US')} answers`), text);
  const settled = served.reduce((sum, one) => sum + BigInt(one.settled ?? '0'), 0n);
  assert.ok(settled > 0n && text.includes(`${(Number(settled) / 1e6).toFixed(6)} POKT settled for what was served here`), text);
  assert.match(text, /Asked for here \d+ times in 30 days, for \d+\.\d{6} POKT/);
  await holds(async () => assert.match(await mine().innerText(), /What others served of it, and the owner’s share of that, this node does not know/));
  // Services of others are not ours.
  await holds(async () => assert.equal(await row('eth').count(), 0));
  await mine().scrollIntoViewIfNeeded();
  await clean('services');
});

test('a card is shown as text, and changed with what changed alone', async () => {
  await at({ change: (it) => (it.cards = { 'llm-r1-14b': { bytes: 1234, document: card } }) });
  await look('llm-r1-14b');
  const sheet = page.getByTestId('service-sheet');
  await page.getByTestId('service-card').waitFor();
  await holds(async () => assert.deepEqual(JSON.parse(await page.getByTestId('service-card').innerText()), card));
  await clean('service-card');
  await sheet.getByRole('button', { name: 'Change it' }).click();
  const role = page.getByTestId('role-sheet');
  await role.getByText('Change a service').waitFor();
  await holds(async () => assert.equal(await page.locator('#role-service').inputValue(), 'llm-r1-14b'));
  await holds(async () => assert.ok(await page.locator('#role-service').evaluate((one) => one.readOnly)));
  await holds(async () => assert.equal(await page.locator('#role-units').inputValue(), '1000000'));
  await page.locator('#role-card').fill('{"broken"');
  await role.getByText('A card is one JSON object in braces').waitFor();
  await holds(async () => assert.equal(await role.getByRole('button', { name: 'Look before you sign' }).getAttribute('aria-disabled'), 'true'));
  await clean('service-card-wrong');
  await page.locator('#role-card').fill('{"schema": "pocket-service-card/v1"}');
  await page.locator('#role-units').fill('900000');
  await role.getByRole('button', { name: 'Look before you sign' }).click();
  await role.getByRole('button', { name: 'Sign', exact: true }).waitFor();
  await holds(async () => assert.deepEqual(reviewed(), { type: 'service', id: 'llm-r1-14b', compute_units: 900_000, card: { schema: 'pocket-service-card/v1' }, is_edit: true }));
  await role.getByRole('button', { name: 'Sign', exact: true }).click();
  await page.getByTestId('role-outcome').waitFor();
});

test('a service is made; without any that is said', async () => {
  await at({ change: (it) => (it.services = it.services.slice(1)), size: 'phone' });
  await mine().getByText('No account of this wallet owns a service').waitFor();
  await mine().getByRole('button', { name: 'Make a service' }).click();
  await page.locator('#role-service').fill('my-model');
  await page.locator('#role-units').fill('1200');
  await clean('phone-service-new');
  mock.failOnce('POST /roles/review', 409, 'others_service', 'my-model belongs to pokt1xyz', null);
  await page.getByRole('button', { name: 'Look before you sign' }).click();
  await page.getByTestId('role-sheet').getByRole('alert').waitFor();
  await page.getByRole('button', { name: 'Look before you sign' }).click();
  await page.getByRole('button', { name: 'Sign', exact: true }).waitFor();
  await holds(async () => assert.deepEqual(reviewed(), { type: 'service', id: 'my-model', compute_units: 1200 }));
  mock.it.services.push({ id: 'my-model', name: 'my-model', compute_units: 1200, owner: ADDRESSES.main, is_own: true });
  await page.getByRole('button', { name: 'Sign', exact: true }).click();
  await page.getByTestId('role-outcome').waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await row('my-model').getByText('Not served by this node').waitFor();
});

test('a service of another account, a card that is none, and a chain that is away', async () => {
  const change = (it) => {
    it.walletPage.accounts.push({ id: 9, label: 'Old owner', kind: 'raw', path: null, address: FOREIGN.hexAddress, purposes: [], state: 'open' });
    it.services.push({ id: 'old', name: 'Old one', compute_units: 1, owner: FOREIGN.hexAddress, is_own: false });
    it.cards = { old: { bytes: 99_000, document: null, problem: 'it is no JSON: expected value at line 1' } };
  };
  await at({ change, dark: true });
  await row('old').getByText('owned by Old owner').waitFor();
  await look('old');
  const sheet = page.getByTestId('service-sheet');
  await sheet.getByText('This card is no document that can be shown').waitFor();
  await sheet.getByText('Its owner is another account').waitFor();
  await holds(async () => assert.equal(await sheet.getByRole('button', { name: 'Change it' }).getAttribute('aria-disabled'), 'true'));
  await clean('service-card-none');
  await page.keyboard.press('Escape');
  mock.failOnce('GET /roles/services/{id}', 503, 'chain_unreachable', 'no endpoint answers');
  await look('llm-r1-14b');
  await sheet.getByRole('button', { name: 'Try again' }).click();
  await sheet.getByText('It has none. A card tells').waitFor();
});
