// Chats over time: answers that go on while nobody looks, folders, the archive, find, files, presets, import, export.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ask as askIn, browser, clean, enter, faults, holds, mock, page, shoot, stage } from './support.mjs';

stage();
const at = (path, options = {}) => enter(path, { scenario: 'devnet', ...options });
const ask = (text) => askIn(page, text);
const answer = (state, where = page) => where.locator(`[data-testid=answer][data-state=${state}]`);
const called = (name) => mock.calls.filter((call) => call.name === name);
const menuOf = async (title, entry) => {
  await page.getByRole('button', { name: `Actions for chat ${title}` }).first().click();
  await page.getByRole('menuitem', { name: entry }).click();
};
const folderMenu = async (name, entry) => {
  await page.getByRole('button', { name: `Actions for folder ${name}` }).click();
  await page.getByRole('menuitem', { name: entry }).click();
};
/** The words that are marked as the current hit. */
const marked = () => page.evaluate(() => [...(CSS.highlights.get('found-now') ?? [])].map(String).join());

test('a page that is loaded again in mid-answer goes on with it, is there at its end, and can stop one', async () => {
  await at('chat', { change: (it) => (it.pieces = 1) });
  await ask('A long one');
  await answer('streaming').filter({ hasText: 'Hello' }).waitFor();
  await page.reload();
  await answer('streaming').filter({ hasText: 'Hello' }).waitFor();
  await holds(async () => assert.equal(await page.getByTestId('stop').isVisible(), true));
  mock.pieces = Infinity;
  await answer('done').filter({ hasText: 'Done.' }).waitFor();
  mock.pieces = 1;
  await holds(async () => assert.equal(called('POST /conversations/{id}/answers').length, 1));
  await holds(async () => assert.equal(called('GET /conversations/{id}/answers/{answer_id}').length, 1));
  await holds(async () => assert.equal((await answer('done').innerText()).match(/Hello/g).length, 1));
  await ask('Another long one');
  await answer('streaming').filter({ hasText: 'Hello' }).waitFor();
  await page.reload();
  await answer('streaming').filter({ hasText: 'Hello' }).waitFor();
  await page.keyboard.press('Escape');
  await answer('stopped').waitFor();
  await holds(async () => assert.equal(called('DELETE /conversations/{id}/answers/{answer_id}').length, 1));
});

test('a connection that breaks off in mid-answer is made again, and no word is doubled', async () => {
  await at('chat', { change: (it) => (it.pieces = 2) });
  await ask('A long one');
  await answer('streaming').filter({ hasText: 'Hello from' }).waitFor();
  mock.breakStreams();
  mock.pieces = Infinity;
  await answer('done').filter({ hasText: 'Done.' }).waitFor();
  await holds(async () => assert.equal((await answer('done').innerText()).match(/Hello/g).length, 1));
  await holds(async () => assert.equal(await page.getByTestId('error').count(), 0));
  await holds(async () => assert.equal(called('GET /conversations/{id}/answers/{answer_id}').length, 1));
});

test('answers go on in chats that one left; the list says where, and each ends by itself', async () => {
  await at('chat', { change: (it) => (it.pieces = 1) });
  await ask('First of two');
  await answer('streaming').filter({ hasText: 'Hello' }).waitFor();
  await page.getByTestId('new-chat').first().click();
  await ask('Second of two');
  await answer('streaming').filter({ hasText: 'Hello' }).waitFor();
  await holds(async () => assert.equal(await page.locator('aside [data-testid=answering]').count(), 2));
  await shoot(page, 'two-answers');
  assert.deepEqual(await faults(page), []);
  await page.locator('aside .line a', { hasText: 'First of two' }).click();
  await page.getByTestId('question').filter({ hasText: 'First of two' }).waitFor();
  mock.pieces = Infinity;
  await answer('done').filter({ hasText: 'Done.' }).waitFor();
  await holds(async () => assert.equal(called('DELETE /conversations/{id}/answers/{answer_id}').length, 0));
  await page.locator('aside [data-testid=answering]').first().waitFor({ state: 'detached' });
  await page.locator('aside .line a', { hasText: 'Second of two' }).click();
  await answer('done').filter({ hasText: 'Done.' }).waitFor();
});

test('a chat opens at its end, and stays where one has scrolled', async () => {
  await at('chat/c1');
  await page.getByTestId('context').waitFor();
  await page.locator('.hljs-keyword').first().waitFor();
  const fromEnd = () => page.locator('.scroll').evaluate((one) => Math.round(one.scrollHeight - one.scrollTop - one.clientHeight));
  await page.waitForFunction(() => {
    const one = document.querySelector('.scroll');
    return one.scrollHeight > one.clientHeight && one.scrollHeight - one.scrollTop - one.clientHeight < 2;
  });
  await page.locator('.scroll').hover();
  await page.mouse.wheel(0, -300);
  await page.waitForTimeout(300);
  const before = await fromEnd();
  assert.ok(before > 100, `${before}`);
  await page.getByTestId('composer').fill('one\ntwo\nthree\nfour');
  await page.waitForTimeout(300);
  await holds(async () => assert.ok((await fromEnd()) > 100));
});

test('how long it thought is counted while it thinks, and kept', async () => {
  await at('chat', { change: (it) => Object.assign(it, { pieces: 1, answerPieces: ['<think>Let me see', ', and see', ', and see</think>', 'It is so.'] }) });
  await ask('Why?');
  await page.getByTestId('thinking').filter({ hasText: /Thinking for (?:[2-9]|\d\d)\s?s/ }).waitFor();
  mock.pieces = Infinity;
  await answer('done').waitFor();
  await holds(async () => assert.match(await page.getByTestId('thinking').innerText(), /Thought for 11\ss/));
});

test('chats go into folders and out, and folders get other names', async () => {
  await at('chat/c2');
  const folder = (name) => page.locator(`aside [data-folder="${name}"]`);
  await folder('Work').waitFor();
  await holds(async () => assert.equal(await page.locator('aside .line a', { hasText: 'Weekly report' }).count(), 0));
  await folder('Work').getByRole('button', { name: 'Work', exact: false }).first().click();
  await folder('Work').locator('.line a', { hasText: 'Weekly report' }).waitFor();
  await clean('folder-open');
  await menuOf('Letter to the energy supplier', 'Move to folder');
  await page.getByTestId('move').waitFor();
  await clean('move-sheet');
  await page.getByLabel('New folder').fill('Letters');
  await page.keyboard.press('Enter');
  await folder('Letters').waitFor();
  await menuOf('Rename photos by date', 'Move to folder');
  await page.getByTestId('move').getByRole('button', { name: 'Work' }).click();
  await folder('Work').locator('.line a', { hasText: 'Rename photos' }).waitFor();
  await holds(async () => assert.match(await folder('Work').locator('.folder').innerText(), /3/));
  // Open folders stay open.
  await page.reload();
  await folder('Work').locator('.line a', { hasText: 'Rename photos' }).waitFor();
  await folderMenu('Work', 'Rename folder');
  await page.locator('input[id*=rename]').fill('Office');
  await page.keyboard.press('Enter');
  await folder('Office').locator('.line a', { hasText: 'Weekly report' }).waitFor();
  await folder('Work').waitFor({ state: 'detached' });
  await menuOf('Weekly report', 'Move to folder');
  await page.getByRole('button', { name: 'Take out of Office' }).click();
  await page.locator('aside ul:not(.inside) > .line a', { hasText: 'Weekly report' }).waitFor();
  await folderMenu('Letters', 'Take all chats out');
  await folder('Letters').waitFor({ state: 'detached' });
  await holds(async () => assert.deepEqual(called('POST /folders/rename').map((call) => call.body), [{ from: 'Work', to: 'Office' }, { from: 'Letters', to: '' }]));
});

test('chats go into the archive, are found there, and come back', async () => {
  await at('chat/c2');
  await menuOf('Letter to the energy supplier', 'Archive');
  await page.locator('aside .line a', { hasText: 'Letter to' }).waitFor({ state: 'detached' });
  await page.getByTestId('show-archive').click();
  await page.locator('aside .line a', { hasText: 'Letter to' }).waitFor();
  await holds(async () => assert.equal(await page.locator('aside .line a').count(), 2));
  await clean('archive');
  await menuOf('Letter to the energy supplier', 'Take out of the archive');
  await page.getByTestId('leave-archive').click();
  await page.locator('aside .line a', { hasText: 'Letter to' }).waitFor();
  await page.getByLabel('Search chats').fill('lighthouse');
  await page.locator('aside .line a', { hasText: 'Old plans' }).waitFor();
  await holds(async () => assert.match(await page.locator('aside .line a').innerText(), /Archived/));
});

test('a hit of the search is shown in its branch, marked, with the others of the chat after it', async () => {
  const branched = ({ it }) => {
    const chat = it.conversations.find((one) => one.id === 'c2');
    const [question, first] = chat.messages;
    chat.messages.push({ ...first, id: 'n3', content: 'The **ember** glows in another branch.\n\n- an ember\n- EMBER' }, { ...question, id: 'n4', parent_id: 'n3', content: 'Thanks' });
    chat.head_id = 'n2';
  };
  await at('chat', { change: branched });
  await page.getByLabel('Search chats').fill('ember');
  await page.locator('aside .line a', { hasText: '… ember …' }).click();
  await page.locator('[data-message=n3]').waitFor();
  await page.getByTestId('find-count').filter({ hasText: '1 of 3' }).waitFor();
  await holds(async () => assert.equal(await marked(), 'ember'));
  await holds(async () => assert.equal(called('PATCH /conversations/{id}').at(-1).body.head_id, 'n4'));
  await clean('hit');
  await page.getByRole('button', { name: 'Next hit' }).click();
  await page.getByTestId('find-count').filter({ hasText: '2 of 3' }).waitFor();
});

test('find in chat counts, steps, wraps, opens what is folded, and closes', async () => {
  await at('chat/c1');
  await page.getByTestId('receipt').first().waitFor();
  await page.keyboard.press('Control+f');
  await page.locator('#find-words').fill('weights');
  await page.getByTestId('find-count').filter({ hasText: /^1 of \d+$/ }).waitFor();
  const all = Number((await page.getByTestId('find-count').innerText()).split(' ').at(-1));
  assert.ok(all >= 2, `${all} hits`);
  await page.keyboard.press('Shift+Enter');
  await page.getByTestId('find-count').filter({ hasText: `${all} of ${all}` }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByTestId('find-count').filter({ hasText: `1 of ${all}` }).waitFor();
  await holds(async () => assert.equal((await marked()).toLowerCase(), 'weights'));
  await clean('find');
  await page.locator('#find-words').fill('divided by what is read');
  await page.getByTestId('find-count').filter({ hasText: '1 of 1' }).waitFor();
  await holds(async () => assert.equal(await page.getByTestId('thinking').first().evaluate((one) => one.open), true));
  await page.locator('#find-words').fill('no such words');
  await page.getByTestId('find-count').filter({ hasText: 'nothing found' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByTestId('find-bar').waitFor({ state: 'detached' });
  await holds(async () => assert.equal(await page.evaluate(() => CSS.highlights.size), 0));
  await holds(async () => assert.equal(await page.evaluate(() => document.activeElement.id), 'composer'));
  // It is of this chat alone; elsewhere the key is the browser's.
  await page.keyboard.press('Control+f');
  await page.getByTestId('new-chat').first().click();
  await page.getByTestId('find-bar').waitFor({ state: 'detached' });
  const isTaken = await page.evaluate(() => !dispatchEvent(new KeyboardEvent('keydown', { code: 'KeyF', key: 'f', ctrlKey: true, cancelable: true })));
  assert.equal(isTaken, false);
});

test('what is found is marked where the browser has no highlights of its own', async () => {
  await at('chat');
  await page.addInitScript(() => delete CSS.highlights);
  await page.goto(`${mock.url}/chat/c2`);
  await page.getByTestId('question').waitFor();
  await page.getByTestId('find-open').click();
  await page.locator('#find-words').fill('exiftool');
  await page.locator('.found-box.now').waitFor();
  const [box, word] = await page.evaluate(() => {
    const range = document.createRange();
    const node = document.querySelector('[data-testid=answer] p').firstChild;
    range.setStart(node, node.data.indexOf('exiftool'));
    range.setEnd(node, node.data.indexOf('exiftool') + 8);
    return [document.querySelector('.found-box.now'), range].map((one) => Math.round(one.getBoundingClientRect().left));
  });
  // Both are rounded on their own.
  assert.ok(Math.abs(box - word) <= 1, `${box} for ${word}`);
});

test('files are read, shown with their state, sent with the question and opened again', async () => {
  await at('chat');
  await page.getByTestId('file-chooser').setInputFiles([
    { name: 'notes.md', mimeType: 'text/markdown', buffer: Buffer.from('# Notes\nThe ember rule.') },
    { name: 'long.log', mimeType: 'text/plain', buffer: Buffer.from('x'.repeat(25_000)) },
    { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from([1, 2, 3]) },
  ]);
  await page.locator('.file[data-state=failed]').waitFor();
  await holds(async () => assert.match(await page.getByTestId('files').innerText(), /notes\.md[\s\S]*23\sB[\s\S]*long\.log[\s\S]*cut to fit[\s\S]*photo\.png[\s\S]*picture/));
  await page.getByTestId('composer').fill('What do they say?');
  await clean('files');
  await page.keyboard.press('Enter');
  await holds(async () => assert.equal(called('POST /conversations').length, 0));
  await page.getByRole('button', { name: 'Take out photo.png' }).click();
  await page.getByTestId('composer').press('Enter');
  await answer('done').waitFor();
  await holds(async () => assert.deepEqual(called('POST /conversations/{id}/answers')[0].body.attachments, mock.it.files.map((one) => one.id)));
  await holds(async () => assert.equal(await page.getByTestId('files').count(), 0));
  await clean('question-files');
  await page.getByTestId('file').filter({ hasText: 'notes.md' }).click();
  await page.getByTestId('file-text').filter({ hasText: 'The ember rule.' }).waitFor();
  await clean('file-sheet');
  await page.keyboard.press('Escape');
  await page.getByTestId('file-text').waitFor({ state: 'detached' });
  // The edited question keeps its files.
  await page.getByTestId('composer').press('ArrowUp');
  await page.locator('textarea[id^=edit-]').fill('What else?');
  await page.keyboard.press('Enter');
  await page.getByTestId('question').filter({ hasText: 'What else?' }).waitFor();
  await holds(async () => assert.equal(called('POST /conversations/{id}/answers')[1].body.attachments.length, 2));
  await answer('done').waitFor();
});

test('files are dropped and pasted, and a long pasted text may become one', async () => {
  await at('chat');
  const give = (type) =>
    page.evaluate((kind) => {
      const data = new DataTransfer();
      data.items.add(new File(['dropped'], `${kind}.txt`, { type: 'text/plain' }));
      const target = document.querySelector('[data-composer]');
      if (kind === 'paste') return target.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
      for (const step of ['dragenter', 'dragover', 'drop']) target.dispatchEvent(new DragEvent(step, { dataTransfer: data, bubbles: true, cancelable: true }));
      return true;
    }, type);
  await give('drop');
  await give('paste');
  await page.getByTestId('files').filter({ hasText: /drop\.txt[\s\S]*paste\.txt/ }).waitFor();
  await holds(async () => assert.equal(await page.getByTestId('drop').count(), 0));
  await page.getByTestId('composer').focus();
  await page.evaluate((text) => navigator.clipboard.writeText(text), 'word '.repeat(2000));
  await page.keyboard.type('Sum this up: ');
  await page.keyboard.press('Control+v');
  await page.getByTestId('paste-offer').getByRole('button').click();
  await page.getByTestId('files').filter({ hasText: 'pasted.txt' }).waitFor();
  await holds(async () => assert.equal((await page.getByTestId('composer').inputValue()).trim(), 'Sum this up:'));
  // They are there when the page is loaded again: those that the node has read.
  await page.locator('[data-testid=files] li[data-state=ready]').nth(2).waitFor();
  await page.reload();
  await page.getByTestId('files').filter({ hasText: /drop\.txt[\s\S]*paste\.txt[\s\S]*pasted\.txt/ }).waitFor();
});

test('the context says how much is used, about where it is not exact, and warns', async () => {
  await at('chat/c1');
  const meter = page.getByTestId('context');
  await meter.filter({ hasText: /\d of 8,192 tokens/ }).waitFor();
  mock.contextIsExact = false;
  await page.getByTestId('composer').fill('word '.repeat(5800));
  await page.locator('[data-testid=context][data-tone=warn]', { hasText: '≈' }).waitFor();
  await page.getByText('Little room is left.').waitFor();
  await clean('context-warn');
  await page.getByTestId('composer').fill('word '.repeat(9000));
  await page.locator('[data-testid=context][data-tone=full]').waitFor();
  await page.getByText('This is more than the model can read.').waitFor();
  mock.contextLimit = null;
  await page.getByTestId('new-chat').first().click();
  await meter.waitFor({ state: 'detached' });
  await page.getByTestId('composer').fill('some words');
  await meter.filter({ hasText: /≈\s\d+ tokens/ }).waitFor();
});

test('parameters and instructions are of this chat alone, and presets set them', async () => {
  await at('chat/c2');
  await page.getByTestId('parameters').click();
  await page.getByLabel('Temperature').fill('0.3');
  await page.getByLabel('Instructions for this chat').fill('Be brief.');
  await clean('parameters');
  await page.getByRole('button', { name: 'Save as preset' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Brief');
  await clean('save-preset');
  await page.getByRole('button', { name: 'Save preset' }).click();
  await page.getByTestId('preset-sheet').waitFor({ state: 'detached' });
  await page.getByTestId('presets').filter({ hasText: 'Brief' }).waitFor();
  const saved = () => called('PATCH /conversations/{id}').at(-1).body;
  await holds(async () => assert.deepEqual([saved().params, saved().system_prompt], [{ temperature: 0.3 }, 'Be brief.']));
  await page.locator('aside .line a', { hasText: 'How fast' }).click();
  await page.getByTestId('presets').filter({ hasText: 'No preset' }).waitFor();
  await page.getByTestId('presets').click();
  await page.getByRole('menuitem', { name: 'Translator' }).click();
  await page.locator('[data-testid=model-picker][data-model=deepseek-r1-14b]').waitFor();
  await page.getByTestId('presets').filter({ hasText: 'Translator' }).waitFor();
  // A chat to come takes them with its first question.
  await page.getByTestId('new-chat').first().click();
  await page.getByTestId('presets').click();
  await page.getByRole('menuitem', { name: 'Strict' }).click();
  await ask('Hello');
  await answer('done').waitFor();
  const made = called('POST /conversations')[0].body;
  assert.deepEqual([made.params, made.system_prompt], [{ temperature: 0 }, 'Answer in one sentence.']);
  await holds(async () => assert.equal(called('POST /conversations/{id}/answers')[0].body.params, undefined));
  await page.getByTestId('presets').click();
  await page.getByRole('menuitem', { name: 'Manage presets' }).click();
  await clean('manage-presets');
  await page.getByRole('button', { name: 'Delete preset Strict' }).click();
  await page.getByRole('button', { name: 'Delete preset', exact: true }).click();
  await page.getByTestId('preset-sheet').getByText('Strict').waitFor({ state: 'detached' });
});

test('chats are imported with what was left out, and exported', async () => {
  await at('settings/chats');
  const file = JSON.stringify([{ title: 'From elsewhere', text: 'Hi' }, { title: 'Nothing in it' }]);
  await page.getByTestId('import-chooser').setInputFiles({ name: 'conversations.json', mimeType: 'application/json', buffer: Buffer.from(file) });
  await page.getByTestId('imported').filter({ hasText: '1 chat with 1 message came in.' }).waitFor();
  await holds(async () => assert.match(await page.getByTestId('imported').innerText(), /1 chat is left out:\s*Nothing in it\s+It has no messages with text\./));
  await clean('imported');
  await page.getByTestId('import-chooser').setInputFiles({ name: 'chats.zip', mimeType: 'application/zip', buffer: Buffer.from('PK\u0003\u0004') });
  await page.getByTestId('error').filter({ hasText: 'This is a ZIP archive.' }).waitFor();
  const [all] = await Promise.all([page.waitForEvent('download'), page.getByTestId('export').click()]);
  assert.equal(all.suggestedFilename(), 'hearth-chats.json');
  await page.goto(`${mock.url}/chat/c2`);
  await page.getByTestId('chat-menu').click();
  await shoot(page, 'chat-menu');
  assert.deepEqual(await faults(page), []);
  const [one] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'Export as Markdown' }).click()]);
  assert.match(await readFile(await one.path(), 'utf8'), /^# Rename photos by date[\s\S]*exiftool/);
});

for (const [locale, dark] of [['en-US', false], ['de-DE', true]]) {
  test(`at 320 px all of it fits, ${locale}`, async () => {
    await at('chat/c1', { width: 320, height: 640, locale, dark, hasTouch: true, change: (it) => (it.contextLimit = 100) });
    await page.getByTestId('context').waitFor();
    await page.getByTestId('file-chooser').setInputFiles([
      { name: 'a-rather-long-name-of-a-file-from-the-office.md', mimeType: 'text/markdown', buffer: Buffer.from('# Notes') },
      { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from([1]) },
    ]);
    await page.locator('.file[data-state=failed]').filter({ hasText: locale === 'de-DE' ? 'Ein Bild' : 'A picture' }).waitFor();
    await page.getByTestId('chat-menu').click();
    await shoot(page, `narrow-chat-menu-${locale}`);
    await page.getByRole('menuitem').first().click();
    await page.locator('#find-words').fill('tok');
    await page.getByTestId('find-count').filter({ hasText: /\d/ }).waitFor();
    const out = () => page.evaluate(() => [...document.querySelectorAll('.conv :not(.col *), .sheet *')].filter((one) => one.getClientRects().length && !one.closest('.sr') && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 90)));
    await holds(async () => assert.deepEqual(await out(), []));
    await clean(`narrow-chat-${locale}`);
    await page.getByTestId('parameters').click();
    await clean(`narrow-parameters-${locale}`);
    await page.keyboard.press('Escape');
    await page.getByTestId('show-chats').click();
    await page.locator('.sheet .line a').first().waitFor();
    await page.locator('.sheet .folder').click();
    await page.locator('.sheet .inside .line a').first().waitFor();
    await holds(async () => assert.deepEqual(await out(), []));
    await clean(`narrow-list-${locale}`);
  });
}
