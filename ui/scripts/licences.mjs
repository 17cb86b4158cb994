// Writes dist/licences.json for the About page: every package that ends up in the page, with its licence text.
//
// What ends up in the page are the production dependencies of package-lock.json and what they depend on, and Svelte,
// whose run-time is compiled in.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const at = (path) => fileURLToPath(new URL(path, root));
const { packages } = JSON.parse(readFileSync(at('package-lock.json'), 'utf8'));
const compiledIn = ['svelte', 'esm-env', 'clsx', 'tailwindcss'];

function find(name, from) {
  // Node looks beside the package that asks first, then further up.
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('node_modules/') - 1))) {
    const path = `${base ? `${base}/` : ''}node_modules/${name}`;
    if (packages[path]) return path;
    if (!base) return null;
  }
}

function collect() {
  const seen = new Set();
  const visit = (name, from) => {
    const path = find(name, from);
    if (!path || seen.has(path)) return;
    seen.add(path);
    for (const next of Object.keys(packages[path].dependencies ?? {})) visit(next, path);
  };
  for (const name of Object.keys(packages[''].dependencies)) visit(name, '');
  for (const name of compiledIn) visit(name, '');
  return [...seen].sort();
}

function textOf(path) {
  const folder = at(path);
  if (!existsSync(folder)) return undefined;
  const file = readdirSync(folder).find((name) => /^(licen[cs]e|copying)(\.|-|$)/i.test(name));
  return file ? readFileSync(`${folder}/${file}`, 'utf8').trim() : undefined;
}

const list = collect()
  .filter((path) => !path.includes('@types/'))
  .map((path) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 13);
    const manifest = JSON.parse(readFileSync(`${at(path)}/package.json`, 'utf8'));
    const text = textOf(path);
    // Some packages name their licence only in the file beside them.
    const licence = manifest.license ?? packages[path].license ?? (text?.startsWith('MIT License') ? 'MIT' : undefined);
    if (!licence) throw new Error(`${name} names no licence: look at it before it is shipped`);
    return { name, version: packages[path].version, licence, text };
  });
writeFileSync(at('dist/licences.json'), JSON.stringify(list));
console.log(`licences of ${list.length} packages written`);
