// Chat: streaming, stop, edit with branches, another answer, failure, picker, receipt, history.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ask as askIn, browser, enter, faults, holds, mock, open, page, shoot, stage } from './support.mjs';

stage();
beforeEach(() => enter('', { scenario: 'devnet', ready: 'composer' }));

const ask = (text) => askIn(page, text);
const lastAnswer = () => page.getByTestId('answer').last();
const finished = (state = 'done') => page.locator(`[data-testid=answer][data-state=${state}]`).last().waitFor();
const choose = async (id) => {
  await page.getByTestId('model-picker').click();
  await page.locator(`.model[data-model="${id}"]`).click();
};

test('the token leaves the address line and buys a cookie', async () => {
  await holds(async () => assert.equal(new URL(page.url()).hash, ''));
  await holds(async () => assert.equal(mock.calls.find((call) => call.name === 'POST /auth/session').body.token, 'mock-token'));
});

test('an answer streams in, with receipt, and is kept in the list', async () => {
  await choose('pocket/llm-r1-70b');
  mock.pieces = 1;
  await ask('What is a hearth?');
  await page.locator('[data-testid=answer][data-state=streaming]').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('stop').isVisible(), true));
  await holds(async () => assert.equal(await lastAnswer().getAttribute('aria-busy'), 'true'));
  mock.pieces = Infinity;
  await finished();
  await holds(async () => assert.match(await lastAnswer().innerText(), /Hello from the mock, block by block/));
  await holds(async () => assert.equal(await lastAnswer().locator('pre').count(), 1));
  await holds(async () => assert.equal(await lastAnswer().locator('strong').innerText(), 'mock'));
  await page.getByTestId('announcer').filter({ hasText: 'Answer finished, 873 tokens' }).waitFor({ state: 'attached' });
  await page.getByTestId('receipt').click();
  await page.getByTestId('receipt-body').last().waitFor();
  await holds(async () => assert.match(await page.getByTestId('receipt-body').last().innerText(), /0\.262782/));
  await shoot(page, 'receipt');
  assert.deepEqual(await faults(page), []);
  await page.keyboard.press('Escape');
  await page.locator('.line a', { hasText: 'What is a hearth?' }).waitFor();
  await holds(async () => assert.match(page.url(), /\/chat\/n\d+$/));
  await page.reload();
  await page.getByTestId('answer').waitFor();
});

test('Escape stops an answer and keeps what is there', async () => {
  mock.pieces = 1;
  await ask('A long one');
  await page.locator('[data-testid=answer][data-state=streaming]', { hasText: 'Hello' }).waitFor();
  await page.keyboard.press('Escape');
  await finished('stopped');
  await holds(async () => assert.match(await lastAnswer().innerText(), /Hello[\s\S]*Answer stopped/));
  await holds(async () => assert.ok(mock.calls.some((call) => call.name.startsWith('DELETE /conversations/{id}/answers'))));
});

test('edit and resend makes a branch, and one can go back', async () => {
  await ask('First question');
  await finished();
  await page.getByTestId('question').hover();
  await page.getByRole('button', { name: 'Edit question' }).click();
  await page.locator('textarea[id^=edit-]').fill('Second question');
  await page.keyboard.press('Enter');
  await page.getByTestId('question').filter({ hasText: 'Second question' }).waitFor();
  await finished();
  const sent = mock.calls.filter((call) => call.name === 'POST /conversations/{id}/answers');
  assert.equal(sent[1].body.at_root, true);
  await holds(async () => assert.equal(await page.getByTestId('branches').first().innerText(), '2/2'));
  await page.getByRole('button', { name: 'Previous branch' }).click();
  await page.getByTestId('question').filter({ hasText: 'First question' }).waitFor();
  await page.keyboard.press('Alt+.');
  await page.getByTestId('question').filter({ hasText: 'Second question' }).waitFor();
});

test('another answer to the same question, and arrow up edits the last one', async () => {
  await ask('Once more');
  await finished();
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.getByTestId('branches').waitFor();
  await finished();
  const again = mock.calls.filter((call) => call.name === 'POST /conversations/{id}/answers').at(-1);
  assert.equal(again.body.content, undefined);
  await page.getByTestId('composer').focus();
  await page.keyboard.press('ArrowUp');
  await holds(async () => assert.equal(await page.locator('textarea[id^=edit-]').inputValue(), 'Once more'));
});

test('a failure appears as the answer, with ways on', async () => {
  await ask('FAIL please');
  await finished('failed');
  await holds(async () => assert.match(await page.getByTestId('answer-error').innerText(), /supplier could not answer[\s\S]*Try again[\s\S]*Use another model/));
  await page.getByTestId('answer-error').locator('summary').click();
  await holds(async () => assert.match(await page.getByTestId('answer-error').innerText(), /stopped half-way/));
  assert.deepEqual(await faults(page), []);
  await page.getByRole('button', { name: 'Use another model' }).click();
  await page.getByPlaceholder('Find a model').waitFor();
});

test('what was typed is not lost when the node refuses', async () => {
  mock.failOnce('POST /conversations', 507, 'disk_full', 'the disk is full, nothing was written', 'Free space, then try again.');
  await ask('Do not lose me');
  await page.getByTestId('error').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('composer').inputValue(), 'Do not lose me'));
});

test('the picker has one list with prices and reasons', async () => {
  await page.keyboard.press('Alt+m');
  await page.getByPlaceholder('Find a model').waitFor();
  await shoot(page, 'picker');
  assert.deepEqual(await faults(page), []);
  const text = await page.locator('.picker-pop').innerText();
  assert.match(text, /On this computer[\s\S]*DeepSeek R1 14B[\s\S]*On the network[\s\S]*0\.2628 POKT[\s\S]*Not now/);
  await page.getByRole('button', { name: 'Private' }).click();
  await holds(async () => assert.doesNotMatch(await page.locator('.picker-pop').innerText(), /On the network/));
  await page.getByPlaceholder('Find a model').fill('smol');
  await page.keyboard.press('Enter');
  await holds(async () => assert.equal(await page.getByTestId('model-picker').getAttribute('data-model'), 'smollm2-135m-instruct'));
});

test('chats are found, renamed and deleted', async () => {
  await page.getByLabel('Search chats').fill('exiftool');
  await page.locator('.line a', { hasText: 'Letter to' }).waitFor({ state: 'detached' });
  await holds(async () => assert.equal(await page.locator('.line a').count(), 1));
  await page.getByLabel('Search chats').fill('');
  await page.locator('.line a', { hasText: 'Letter to' }).waitFor();
  await page.getByRole('button', { name: 'Actions for chat Letter to the energy supplier' }).click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.locator('input[id*=rename]').fill('Letter, sent');
  await page.keyboard.press('Enter');
  await page.locator('.line a', { hasText: 'Letter, sent' }).waitFor();
  await page.getByRole('button', { name: 'Actions for chat Letter, sent' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await shoot(page, 'confirm');
  assert.deepEqual(await faults(page), []);
  await page.getByRole('button', { name: 'Delete chat' }).click();
  await page.locator('.line a', { hasText: 'Letter, sent' }).waitFor({ state: 'detached' });
});

test('an answer that another page asked for is shown growing, stoppable, then whole', async () => {
  mock.pieces = 1;
  await ask('For two readers');
  await page.locator('[data-testid=answer][data-state=streaming]', { hasText: 'Hello' }).waitFor();
  const other = await open(browser, mock.link(new URL(page.url()).pathname.slice(1)));
  try {
    await other.locator('[data-testid=answer][data-state=streaming]', { hasText: 'Hello' }).waitFor();
    await holds(async () => assert.equal(await other.getByTestId('stop').isVisible(), true));
    await holds(async () => assert.equal(await other.getByTestId('send').count(), 0));
    mock.pieces = 3;
    await other.locator('[data-testid=answer][data-state=streaming]', { hasText: 'mock' }).waitFor();
    mock.pieces = Infinity;
    await finished();
    await other.locator('[data-testid=answer][data-state=done]', { hasText: 'Done.' }).waitFor();
    assert.deepEqual(other.wrong, []);
  } finally {
    await other.context().close();
  }
});

test('a branch or model that the node does not keep is said', async () => {
  await ask('First question');
  await finished();
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.getByTestId('branches').waitFor();
  await finished();
  mock.failOnce('PATCH /conversations/{id}', 507, 'disk_full', 'the disk is full, nothing was written', 'Free space, then try again.');
  await page.getByRole('button', { name: 'Previous branch' }).click();
  await page.getByTestId('error').filter({ hasText: 'The disk is full' }).waitFor();
  mock.failOnce('PATCH /conversations/{id}', 503, 'stopping', 'the miner has stopped', null);
  await choose('pocket/llm-r1-70b');
  await page.getByTestId('error').filter({ hasText: 'Hearth is stopping' }).waitFor();
});

test('a model can read out neither script nor picture from elsewhere', async () => {
  mock.answerPieces = ['<script>window.bad = 1</script> ', '<img src=x onerror="window.bad=1"> ', '\n\n![spy](https://spy.example/a.png) [x](javascript:alert(1)) **ok**'];
  await ask('Attack me');
  await finished();
  await holds(async () => assert.equal(await page.evaluate(() => window.bad), undefined));
  await holds(async () => assert.equal(await lastAnswer().locator('img, script').count(), 0));
  await holds(async () => assert.equal(await lastAnswer().locator('a[href^="javascript"]').count(), 0));
  await holds(async () => assert.equal(await lastAnswer().locator('strong').innerText(), 'ok'));
});
