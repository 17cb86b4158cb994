// What goes wrong on other pages of this kind: hostile answers, small screens, the keyboard alone, long lists, a page
// that is loaded again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { message } from './mock/world.mjs';
import { ask, enter, faults, holds, mock, page, shoot, sidewards, stage } from './support.mjs';

stage();
const at = (path, options = {}) => enter(path, { scenario: 'devnet', ...options });
const chatOf = (id, title, ...contents) => {
  const messages = contents.map((content, index) => message(`${id}m${index}`, index ? `${id}m${index - 1}` : null, index % 2 ? 'assistant' : 'user', content, index % 2 ? { model: 'smollm2-135m-instruct' } : {}));
  const now = new Date().toISOString();
  return { id, title, model: null, pinned: false, folder: null, archived: false, params: {}, answering: null, system_prompt: null, created_at: now, updated_at: now, head_id: messages.at(-1).id, messages };
};
/** Whether a word is drawn in more than one line. */
const broken = (words) =>
  page.evaluate((list) => {
    const found = [];
    const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      for (const word of list) {
        for (let start = node.data.indexOf(word); start >= 0; start = node.data.indexOf(word, start + 1)) {
          const range = document.createRange();
          range.setStart(node, start);
          range.setEnd(node, start + word.length);
          if (new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size > 1) found.push(word);
        }
      }
    }
    return found;
  }, words);

test('a stored chat of hostile texts opens, and the page goes on working', async () => {
  const evil = ['$'.repeat(100_000), '\\['.repeat(50_000), '**a *b _c '.repeat(10_000), '> '.repeat(50_000), '- a\n'.repeat(5000), '|a'.repeat(5000) + '|\n' + '|-'.repeat(5000) + '|\n' + '|\n'.repeat(5000), '```js\n'.repeat(10_000), `$$${'\\frac{'.repeat(400)}$$ $$\\def\\a#1{#1#1}\\a{\\a{x}}$$`, '<a b="'.repeat(15_000)];
  const contents = evil.flatMap((text) => ['say it', text]);
  await at('chat/evil', { change: (it) => it.it.conversations.unshift(chatOf('evil', 'Evil', ...contents, 'and now', 'All **well**.')) });
  await page.locator('[data-testid=answer] strong', { hasText: 'well' }).waitFor();
  await holds(async () => assert.equal(await page.getByTestId('answer').count(), evil.length + 1));
  await page.getByTestId('composer').fill('still here');
  await holds(async () => assert.equal(await page.getByTestId('composer').inputValue(), 'still here'));
});

test('a table in an answer scrolls in its frame and breaks no word', async () => {
  const table = '| Configuration | Recommendation | Availability | Compatibility |\n|---|---|---|---|\n| Development | Continuous integration | Unavailable | Incompatible |\n';
  await at('chat/t', { width: 360, height: 740, change: (it) => it.it.conversations.unshift(chatOf('t', 'Table', 'compare', table)) });
  await page.locator('[data-testid=answer] td').first().waitFor();
  await holds(async () => assert.deepEqual(await broken(['Configuration', 'Recommendation', 'Availability', 'Compatibility', 'Development', 'Continuous', 'Unavailable', 'Incompatible']), []));
  assert.deepEqual(await sidewards(page), []);
  await holds(async () => assert.ok(await page.locator('.table-wrap').evaluate((frame) => frame.scrollWidth > frame.clientWidth)));
});

for (const locale of ['en-US', 'de-DE']) {
  test(`at 320 px nothing sticks out and no word is broken, ${locale}`, async () => {
    await at('wallet', { scenario: 'locked', width: 320, height: 640, locale });
    for (const [path, ready] of [['wallet', 'where'], ['earn', 'sessions'], ['models', 'local-models'], ['network', 'height'], ['settings', 'language']]) {
      await page.goto(`${mock.url}/${path}`);
      await page.getByTestId(ready).first().waitFor();
      assert.deepEqual(await sidewards(page), [], path);
      const words = ['Arbeitsschlüssel', 'Hauptschlüssel', 'Entsperrt', 'Ansprüche', 'Beantwortet', 'Verfügbar', 'Answered', 'Signs', 'Working', '1.271,418206', '1,271.418206', '13,197682', '13.197682'];
      await holds(async () => assert.deepEqual(await broken(words), [], path));
      const out = await page.evaluate(() => [...document.querySelectorAll('main .card *')].filter((one) => !one.closest('.table-wrap, .chart') && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80)));
      assert.deepEqual(out, [], path);
      await shoot(page, `narrow-${path}-${locale}`);
    }
    mock.signIns.clear();
    await page.goto(mock.url);
    await page.locator('#secret').waitFor();
    assert.deepEqual(await sidewards(page), [], 'sign-in');
    assert.deepEqual(await faults(page), []);
    await shoot(page, `narrow-login-${locale}`);
  });
}

test('F6 goes through all regions and comes back, Shift F6 the other way, and a sheet keeps it', async () => {
  await at('chat/c1');
  await page.getByTestId('receipt').first().waitFor();
  const region = () => page.evaluate(() => document.activeElement.closest('[data-region]')?.getAttribute('aria-label') ?? '');
  await page.getByTestId('composer').focus();
  const seen = [];
  for (let step = 0; step < 4; step += 1) {
    await page.keyboard.press('F6');
    seen.push(await region());
  }
  assert.deepEqual(seen, ['Main', 'Chats', 'Conversation', 'Message']);
  await page.keyboard.press('Shift+F6');
  await holds(async () => assert.equal(await region(), 'Conversation'));
  await page.goto(`${mock.url}/wallet`);
  await page.getByTestId('send-open').click();
  await page.keyboard.press('F6');
  await holds(async () => assert.ok(await page.evaluate(() => document.activeElement.closest('.sheet') !== null)));
});

test('a sheet takes the focus to its first field and gives it back; so does a question of a menu', async () => {
  await at('wallet');
  await page.getByTestId('send-open').focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'send-to');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement.dataset.testid === 'send-open');
  await page.goto(`${mock.url}/models`);
  const menu = page.getByTestId('local-models').getByRole('button', { name: /Actions for/ }).last();
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('alertdialog').waitFor();
  await page.waitForFunction(() => document.activeElement.textContent.trim() === 'Keep it');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => /^Actions for/.test(document.activeElement.getAttribute('aria-label') ?? ''));
});

test('chats beyond the first hundreds are reached', async () => {
  const many = Array.from({ length: 450 }, (_, index) => chatOf(`many${index}`, `Chat ${index}`, 'hi', 'ho'));
  await at('chat', { change: (it) => it.it.conversations.push(...many.map((one, index) => ({ ...one, updated_at: new Date(1.7e12 - index * 1000).toISOString() }))) });
  const list = page.locator('aside .line a');
  await page.getByTestId('more-chats').waitFor();
  // Two of them lie in a folder.
  for (const count of [198, 298, 398]) {
    await page.getByTestId('more-chats').click();
    await page.waitForFunction((least) => document.querySelectorAll('aside .line a').length >= least, count);
  }
  await page.getByTestId('more-chats').click();
  await page.getByTestId('more-chats').waitFor({ state: 'detached' });
  await holds(async () => assert.equal(await list.filter({ hasText: 'Chat 449' }).count(), 1));
});

test('after the page is loaded again a draft is there and a stopped answer can be gone on with', async () => {
  await at('chat');
  mock.pieces = 1;
  await ask(page, 'A long one');
  await page.locator('[data-testid=answer][data-state=streaming]', { hasText: 'Hello' }).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('[data-testid=answer][data-state=stopped]').waitFor();
  await page.getByTestId('composer').fill('half a thought');
  await page.reload();
  await page.locator('[data-testid=answer][data-state=stopped]').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('composer').inputValue(), 'half a thought'));
  mock.pieces = Infinity;
  await page.getByTestId('continue').click();
  await page.locator('[data-testid=answer][data-state=done]').waitFor();
  const asked = mock.calls.filter((call) => call.name === 'POST /conversations/{id}/answers').at(-1);
  assert.equal(asked.body.content, 'Continue where you stopped.');
  await holds(async () => assert.equal(await page.getByTestId('continue').count(), 0));
});

test('an amount that could mean two things is refused in words, in both languages', async () => {
  for (const [locale, name, typed, words] of [['en-US', 'Send', '1,234', /could mean two amounts\. Write 1\.2340 or 1234/], ['de-DE', 'Senden', '1.234', /zwei Beträge bedeuten\. Schreib 1,2340 oder 1234/]]) {
    await at('wallet', { locale });
    await page.getByRole('button', { name, exact: true }).click();
    await page.locator('#send-to').fill('pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa');
    await page.locator('#send-amount').fill(typed);
    await page.locator('#send-amount-fault').filter({ hasText: words }).waitFor();
    await holds(async () => assert.equal(await page.locator('button[form=send-fill]').getAttribute('aria-disabled'), 'true'));
  }
  await holds(async () => assert.equal(mock.calls.some((call) => call.name.startsWith('POST /wallet/send')), false));
});

test('on a German page no technical English stands among the words; it is under Details', async () => {
  await at('earn', { scenario: 'off', locale: 'de-DE' });
  await page.getByTestId('why').locator('li').first().waitFor();
  const shown = () => page.locator('main').evaluate((main) => main.innerText);
  await holds(async () => assert.doesNotMatch(await shown(), /needs 59,500|the working key|Another program/));
  await page.locator('[data-reason=needs_stake] details summary').click();
  await holds(async () => assert.match(await shown(), /needs 59,500/));
  await page.goto(`${mock.url}/settings/doctor`);
  await page.getByTestId('doctor').locator('li').first().waitFor();
  await holds(async () => assert.doesNotMatch(await shown(), /\b(?:needed|free|found|you have|the)\b/));
  assert.deepEqual(await faults(page), []);
});

test('on a German page texts of the node in a known shape are German, the others under Details', async () => {
  const change = ({ it }) => {
    it.network.problem = { code: 'chain_stalled', fact: 'the newest block is 14 min old', meaning: 'Old.', remedy: 'Wait.' };
    Object.assign(it.status.earning, { notes: ['slashed', 'answers_lost'].map((code) => ({ code, fact: 'as the node says it', meaning: 'The meaning.', remedy: 'The remedy.' })) });
  };
  await at('network', { locale: 'de-DE', change });
  const english = /\b(?:the|is|and|needed|free|refused|block|built-in|needs|sessions|meaning|remedy)\b/;
  for (const [path, ready, words] of [
    ['network', 'receipts', /von |auf dem Rückweg, letzter Block 871\.260[\s\S]*Beleg/],
    ['models', 'catalogue', /0,5 GB nötig, 21 GB frei/],
    ['settings/config', 'money-note', /eingebaut/],
    ['wallet', 'where', /Ein Teil des Einsatzes wurde genommen[\s\S]*Antworten sind verloren/],
    ['earn', 'why', /Antworten sind verloren/],
  ]) {
    await page.goto(`${mock.url}/${path}`);
    await page.getByTestId(ready).first().waitFor();
    // The notices are there before the part of the page that is read from the node.
    await page.locator('main').filter({ hasText: words }).waitFor();
    const text = await page.locator('main').evaluate((main) => main.innerText);
    assert.doesNotMatch(text, english, path);
    assert.match(text, words, path);
    assert.deepEqual(await faults(page), [], path);
    await shoot(page, `german-${path.replace('/', '-')}`);
  }
});

test('a failed step of the set-up is said in the language of the page', async () => {
  const fail = ({ it }) => Object.assign(it.status.setup, { running: false, steps: it.status.setup.steps.map((step, index) => (index === 3 ? { ...step, state: 'failed', error: 'the faucet refused: account is empty' } : step)) });
  await at('earn', { scenario: 'setup', locale: 'de-DE', change: fail });
  await page.getByTestId('setup').getByTestId('error').waitFor();
  const text = () => page.getByTestId('setup').evaluate((one) => one.innerText);
  await holds(async () => assert.doesNotMatch(await text(), /faucet refused|content address|24 words/));
  await page.getByTestId('setup').getByTestId('error').locator('summary').click();
  await holds(async () => assert.match(await text(), /the faucet refused: account is empty/i));
  assert.deepEqual(await faults(page), []);
});

test('unpaid work is listed with its amount and why', async () => {
  await at('earn', { scenario: 'serving' });
  const losses = page.getByTestId('losses');
  await losses.waitFor();
  await holds(async () => assert.match(await losses.innerText(), /2\.13 POKT in 1 session[\s\S]*Claim missed[\s\S]*did not reach the chain while it was open \(blocks [\d,]+–[\d,]+\)[\s\S]*2\.136526/));
  assert.deepEqual(await faults(page), []);
});

test('what was lost is said on every page, at once where the page is open', async () => {
  const notes = [
    { code: 'slashed', fact: '10 POKT in block 871139, 59990 POKT are left', meaning: 'Taken.', remedy: 'Look.' },
    { code: 'answers_lost', fact: 'sessions: 1; answers: 19; about 2.136526 POKT', meaning: 'Lost.', remedy: 'Look.' },
  ];
  const change = ({ it }) => {
    Object.assign(it.status.earning, { notes });
    const slash = { height: 871_140, amount: '10000000', stake_after: '59990000000' };
    Object.assign(it.sessions[5], { state: 'proof_missed', slash });
  };
  await at('wallet', { scenario: 'serving', change });
  await page.locator('[data-code=slashed][role=alert]').filter({ hasText: '59990 POKT are left' }).waitFor();
  await page.locator('[data-code=answers_lost]').filter({ hasText: 'Answers are lost' }).waitFor();
  assert.deepEqual(await faults(page), []);
  await shoot(page, 'money-notes');
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto(`${mock.url}/chat/c1`);
  await page.locator('[data-code=slashed]').waitFor();
  const field = await page.getByTestId('composer').boundingBox();
  const tabs = await page.locator('nav').last().boundingBox();
  assert.ok(field.y + field.height <= tabs.y, 'the message field is in sight on a phone');
  assert.deepEqual(await faults(page), []);
  await shoot(page, 'money-notes-phone');
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${mock.url}/wallet`);
  await page.getByRole('button', { name: /^Hide: A part of the stake/ }).click();
  await page.reload();
  await page.locator('[data-code=answers_lost]').waitFor();
  await holds(async () => assert.equal(await page.locator('[data-code=slashed]').count(), 0));
  const moved = { ...mock.it.sessions[1], state: 'claim_missed', stage: 'lost', lost: '2136512', updated_at: new Date().toISOString() };
  mock.emit({ type: 'claim', ...moved });
  await page.locator('[data-testid=toast][data-tone=danger]').filter({ hasText: 'Session 871,181–871,200 is not paid' }).filter({ hasText: 'Claim missed: 19 answers, 2.13 POKT.' }).waitFor();
  await shoot(page, 'toast-lost');
  await page.goto(`${mock.url}/earn`);
  const slash = /The chain took 10 POKT of the stake in block 871,140; 59,990 POKT are left/;
  await page.getByTestId('losses').filter({ hasText: slash }).waitFor();
  await page.locator('[data-reason=slashed]').waitFor();
  await holds(async () => assert.equal(await page.getByTestId('money-note').count(), 0));
  const row = page.locator('tr[data-state=proof_missed]');
  await holds(async () => assert.match(await row.innerText(), slash));
  await row.click();
  await holds(async () => assert.match(await page.getByTestId('session-sheet').innerText(), /Taken of the stake\s+−\s10\.000000[\s\S]*in block 871,140[\s\S]*Left of the stake\s+59,990\.000000/));
  await page.getByTestId('relays').waitFor();
  assert.deepEqual(await faults(page), []);
  await shoot(page, 'session-slashed');
});

test('an export is the file of the node, whatever the page shows', async () => {
  const fill = ({ it }) => {
    it.sessions = Array.from({ length: 1203 }, (_, index) => ({ ...it.sessions[0], id: index.toString(16).padStart(64, '0') }));
  };
  await at('earn', { scenario: 'serving', change: fill });
  for (const [path, button, name, lines] of [['earn', 'sessions-csv', 'hearth-sessions.csv', 1204], ['wallet', 'activity-csv', 'hearth-history.csv', 7]]) {
    await page.goto(`${mock.url}/${path}`);
    await page.getByTestId(button).waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId(button).click()]);
    assert.equal(file.suggestedFilename(), name);
    const chunks = [];
    for await (const chunk of await file.createReadStream()) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString().trim().split('\r\n').length, lines);
  }
  mock.failOnce('GET /wallet/history.csv', 503, 'chain_unreachable', 'no endpoint answers');
  await page.getByTestId('activity-csv').click();
  await page.getByTestId('activity').getByTestId('error').waitFor();
});

test('what was asked for on the network is listed with its money, page by page', async () => {
  const fill = ({ it }) => it.receipts.push(...Array.from({ length: 40 }, (_, index) => ({ ...it.receipts[0], receipt: { ...it.receipts[0].receipt, id: `more-${index}` } })));
  await at('network', { scenario: 'serving', change: fill });
  const rows = page.getByTestId('receipts').locator('tbody tr');
  await rows.first().waitFor();
  await holds(async () => assert.equal(await rows.count(), 20));
  await holds(async () => assert.match(await rows.nth(0).innerText(), /871,201–871,220[\s\S]*llm-r1-70b[\s\S]*0\.262782[\s\S]*Paid/));
  await holds(async () => assert.match(await rows.nth(1).innerText(), /≤ 0\.262782[\s\S]*Not known yet[\s\S]*stopped/));
  await holds(async () => assert.match(await rows.nth(2).innerText(), /–[\s\S]*Not paid[\s\S]*failed/));
  await holds(async () => assert.doesNotMatch(await rows.nth(2).innerText(), /in time/));
  await page.getByTestId('receipts').getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction(() => document.querySelectorAll('[data-testid=receipts] tbody tr').length === 40);
  assert.deepEqual(await faults(page), []);
  await shoot(page, 'receipts');
});

const choose = async (model) => {
  await page.getByTestId('model-picker').click();
  await page.locator(`.model[data-model="${model}"]`).click();
};

test('a stopped answer of the network says what may be claimed for it, or that nothing is', async () => {
  for (const [charge, note, chip] of [['unknown', /may claim at most 0\.2628 POKT/, /at most 0\.2628 POKT/], ['unpaid', /nothing is paid for it/, /not paid/]]) {
    await at('chat');
    mock.pieces = 1;
    mock.chargeOfStopped = charge;
    await choose('pocket/llm-r1-70b');
    await ask(page, 'A long one');
    await page.locator('[data-testid=answer][data-state=streaming]', { hasText: 'Hello' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('[data-testid=answer][data-state=stopped]').waitFor();
    const answer = page.getByTestId('answer').last();
    await holds(async () => assert.match(await answer.innerText(), note));
    await holds(async () => assert.match(await answer.getByTestId('receipt').innerText(), chip));
    await answer.getByTestId('receipt').click();
    await page.locator(`[role=dialog] [data-charge=${charge}]`).waitFor();
    assert.deepEqual(await faults(page), []);
  }
});

test('a daily limit is said before it is exceeded, and set in Settings', async () => {
  await at('chat', { change: ({ it }) => (it.settings.network_budget = { daily_cap: '500000', spent_today: '400000' }) });
  await choose('pocket/llm-r1-70b');
  await page.getByTestId('composer').fill('Too dear');
  // What the limit does not allow cannot be sent.
  await page.getByTestId('over-cap').waitFor();
  await page.keyboard.press('Enter');
  await page.getByTestId('over-cap').filter({ hasText: 'would exceed today\'s limit of 0.5 POKT; 0.4000 are spent' }).waitFor();
  await holds(async () => assert.equal(mock.calls.some((call) => call.name === 'POST /conversations/{id}/answers'), false));
  await holds(async () => assert.equal(await page.getByTestId('composer').inputValue(), 'Too dear'));
  assert.deepEqual(await faults(page), []);
  await page.getByRole('button', { name: 'Raise the limit' }).click();
  await page.getByTestId('budget').waitFor();
  await holds(async () => assert.equal(await page.locator('#daily-cap').inputValue(), '0.5'));
  await page.locator('#daily-cap').fill('1,500');
  await page.locator('#daily-cap-fault').filter({ hasText: 'two amounts' }).waitFor();
  await holds(async () => assert.equal(await page.getByRole('button', { name: 'Save limit' }).count(), 0));
  await page.locator('#daily-cap').fill('2.5');
  await page.getByRole('button', { name: 'Save limit' }).click();
  await page.getByText('Limit of 2.5 POKT a day saved').waitFor();
  await holds(async () => assert.equal(mock.calls.find((call) => call.name === 'PATCH /settings').body.daily_cap, '2500000'));
  await shoot(page, 'budget');
  assert.deepEqual(await faults(page), []);
});

test('a proven figure says its age, and is not green any more when nobody feeds the page', async () => {
  await at('wallet', { change: ({ it }) => (it.balances.standing = { ...it.balances.standing, age_s: 130 }) });
  const badge = page.getByTestId('where').getByTestId('proof').first();
  await badge.filter({ hasText: /Proven at block 871,208, 2\smin\s1\d\ss\sago/ }).waitFor();
  mock.leave();
  await page.getByTestId('lost').waitFor();
  await holds(async () => assert.equal(await badge.getAttribute('data-trust'), 'stale'));
});

test('a chain that stands still is said on every page, and a payment in no block with what is known of it', async () => {
  const change = ({ it }) => {
    it.status.problems = ['evidence/ab12 is damaged: it was set aside as ab12.damaged; its session is shown as such'];
    it.status.chain_problem = { code: 'new_problem', fact: 'No new block for 14 min', meaning: 'Figures are old.', remedy: 'Add an endpoint.' };
    it.payments = ['on_its_way', 'failed', 'unknown'].map((state, index) => ({ tx: `T${index}`, state, to: it.status.wallet.working_address, amount: '1313910', fee: '1', memo: null, time: new Date().toISOString(), why: state === 'failed' ? 'code 5: insufficient funds' : null }));
  };
  await at('wallet', { change });
  await page.getByTestId('chain-problem').filter({ hasText: 'No new block for 14 min' }).waitFor();
  await holds(async () => assert.match(await page.getByTestId('stored-problems').innerText(), /1 stored thing cannot be read/));
  await holds(async () => assert.doesNotMatch(await page.getByTestId('stored-problems').innerText(), /ab12/));
  await page.getByTestId('stored-problems').locator('summary').click();
  await holds(async () => assert.match(await page.getByTestId('stored-problems').innerText(), /ab12\.damaged/));
  const list = page.getByTestId('open-payments');
  await holds(async () => assert.match(await list.innerText(), /On its way[\s\S]*not a second one[\s\S]*Failed[\s\S]*Nothing left your wallet[\s\S]*Not known/));
  await holds(async () => assert.doesNotMatch(await list.innerText(), /insufficient/));
  assert.deepEqual(await faults(page), []);
  await shoot(page, 'open-payments');
});
