// A message stands in one file: the compiler of messages waits for ever, and says nothing, where a key stands in two.
import { readdirSync, readFileSync } from 'node:fs';

const wrong = [];
for (const locale of readdirSync('messages')) {
  const homes = new Map();
  for (const file of readdirSync(`messages/${locale}`)) {
    const text = readFileSync(`messages/${locale}/${file}`, 'utf8');
    // Read by lines, since a parser keeps the last of two keys and forgets the first.
    for (const [, key] of text.matchAll(/^ {2}"(\w+)":/gm)) {
      const home = homes.get(key);
      if (home) wrong.push(`${locale}: "${key}" stands in ${home} and in ${file}`);
      homes.set(key, file);
    }
  }
}
if (wrong.length > 0) {
  console.error(`messages: ${wrong.join('\nmessages: ')}\n  -> keep one of them, or give one another name`);
  process.exit(1);
}
