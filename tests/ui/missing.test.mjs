// What `live.mjs` says of a program without a page: it does not wait for what can never appear.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Runs it against an address, and gives its exit code and what it said. */
function live(url) {
  return new Promise((done) => {
    const child = spawn(process.execPath, [here('./live.mjs'), `${url}/#token=x`], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (part) => (said += part));
    child.on('exit', (code) => done({ code, said }));
  });
}

test('a program that was built without the page is named at once', { timeout: 60_000 }, async () => {
  const placeholder = readFileSync(here('../../ui/dist/placeholder.html'));
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(placeholder));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  const without = await live(url);
  assert.deepEqual([without.code, /built without its page .*build_ui\.sh/.test(without.said)], [1, true], without.said);
  await new Promise((done) => server.close(done));
  const nobody = await live(url);
  assert.deepEqual([nobody.code, /nobody answers/.test(nobody.said)], [1, true], nobody.said);
});
