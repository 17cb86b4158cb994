// Writes src/lib/api/generated.ts from openapi.json; with --check it only compares and fails if the file is stale.
//
// Our document uses a small part of JSON Schema (objects, enums, oneOf with allOf, nullable by type list), so a
// generator of this size is enough; anything it does not know is an error, never `any`.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const source = here('openapi.json');
const target = here('src/lib/api/generated.ts');

const nameOf = (ref) => ref.replace('#/components/schemas/', '');
const quote = (word) => JSON.stringify(word);
const field = (name) => (/^[a-z_][a-z0-9_]*$/i.test(name) ? name : quote(name));

function comment(text, indent) {
  if (!text) return '';
  return `${indent}/** ${text.replaceAll('*/', '* /').replaceAll(/\s*\n\s*/g, ' ')} */\n`;
}

function typeOf(schema, indent = '') {
  if (schema === true || Object.keys(schema).every((key) => key === 'description')) return 'unknown';
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return quote(schema.const);
  if (schema.enum) return schema.enum.map(quote).join(' | ');
  if (schema.oneOf) return schema.oneOf.map((part) => typeOf(part, indent)).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((part) => typeOf(part, indent)).join(' | ');
  if (schema.allOf) return schema.allOf.map((part) => `(${typeOf(part, indent)})`).join(' & ');
  const types = [schema.type].flat();
  return types.map((type) => plainType(type, schema, indent)).join(' | ');
}

function plainType(type, schema, indent) {
  switch (type) {
    case 'null':
      return 'null';
    case 'string':
      return schema.format === 'binary' ? 'Blob' : 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array': {
      const item = typeOf(schema.items, indent);
      return item.includes(' ') ? `(${item})[]` : `${item}[]`;
    }
    case 'object':
      return objectType(schema, indent);
    default:
      throw new Error(`the generator does not know the type ${quote(type)}`);
  }
}

function objectType(schema, indent) {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return 'Record<string, unknown>';
  const required = new Set(schema.required ?? []);
  const inner = `${indent}  `;
  const lines = properties.map(([name, part]) => {
    const mark = required.has(name) ? '' : '?';
    return `${comment(part.description, inner)}${inner}${field(name)}${mark}: ${typeOf(part, inner)};\n`;
  });
  return `{\n${lines.join('')}${indent}}`;
}

function operation(method, path, item) {
  const query = (item.parameters ?? []).filter((one) => one.in === 'query');
  const places = (item.parameters ?? []).filter((one) => one.in === 'path');
  const content = (holder) => Object.values(holder?.content ?? {})[0]?.schema;
  const body = content(item.requestBody);
  const good = Object.entries(item.responses).find(([status]) => status.startsWith('2'))?.[1];
  const answer = content(good);
  const parts = [
    `path: ${places.length ? `{ ${places.map((one) => `${field(one.name)}: string`).join('; ')} }` : 'null'}`,
    `query: ${query.length ? `{ ${query.map((one) => `${field(one.name)}?: ${typeOf(one.schema)}`).join('; ')} }` : 'null'}`,
    `body: ${body ? typeOf(body) : 'null'}`,
    `answer: ${answer ? typeOf(answer) : 'null'}`,
  ];
  return `${comment(item.summary, '  ')}  ${quote(`${method.toUpperCase()} ${path}`)}: { ${parts.join('; ')} };\n`;
}

function generate(document) {
  const schemas = Object.entries(document.components.schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const types = schemas.map(
    ([name, schema]) => `${comment(schema.description, '')}export type ${name} = ${typeOf(schema)};\n`,
  );
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, item]) => operation(method, path, item)),
  );
  return [
    '// Made from ui/openapi.json by `npm run gen`. Do not edit: `npm run check` fails if this file is stale.\n',
    ...types,
    `/** Every call of the control API: what goes in and what comes out. */\nexport type Operations = {\n${operations.join('')}};\n`,
  ].join('\n');
}

const text = generate(JSON.parse(readFileSync(source, 'utf8')));
if (process.argv.includes('--check')) {
  let current = '';
  try {
    current = readFileSync(target, 'utf8');
  } catch {
    // A missing file is stale, too.
  }
  if (current !== text) {
    console.error('src/lib/api/generated.ts does not fit openapi.json: run `npm run gen` and commit the outcome.');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
