// Checks what the mock says against ui/openapi.json, so that it cannot drift away from the real API.
import { readFileSync } from 'node:fs';

const document = JSON.parse(readFileSync(new URL('../../../ui/openapi.json', import.meta.url), 'utf8'));

function resolve(schema) {
  return schema.$ref ? document.components.schemas[schema.$ref.split('/').at(-1)] : schema;
}

const kinds = {
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: Array.isArray,
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/** The first thing wrong with a value, or null. */
export function fault(given, value, at = '$') {
  const schema = resolve(given);
  if (schema.allOf) return schema.allOf.map((part) => fault(part, value, at)).find(Boolean) ?? null;
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) {
    const faults = choices.map((part) => fault(part, value, at));
    return faults.includes(null) ? null : `${at}: fits none of its forms (${faults.join('; ')})`;
  }
  if (schema.enum && !schema.enum.includes(value)) return `${at}: ${JSON.stringify(value)} is not of ${schema.enum}`;
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => kinds[type](value))) return `${at}: ${JSON.stringify(value)} is not ${types}`;
  if (schema.pattern && typeof value === 'string' && !new RegExp(schema.pattern).test(value)) return `${at}: ${value}`;
  if (Array.isArray(value)) return value.map((one, index) => fault(schema.items ?? {}, one, `${at}[${index}]`)).find(Boolean) ?? null;
  if (!kinds.object(value) || !schema.properties) return null;
  for (const name of schema.required ?? []) if (!(name in value)) return `${at}.${name} is missing`;
  for (const [name, part] of Object.entries(schema.properties)) {
    const found = name in value ? fault(part, value[name], `${at}.${name}`) : null;
    if (found) return found;
  }
  return null;
}

export function answerSchema(method, path) {
  const operation = document.paths[path]?.[method.toLowerCase()];
  const good = Object.entries(operation?.responses ?? {}).find(([status]) => status.startsWith('2'))?.[1];
  return Object.values(good?.content ?? {})[0]?.schema ?? null;
}

/** Paths of the document as patterns, the longest first, so that a literal wins over a parameter. */
export const routes = Object.keys(document.paths)
  .sort((a, b) => b.replace(/\{.*?\}/g, '').length - a.replace(/\{.*?\}/g, '').length)
  .map((path) => ({ path, pattern: new RegExp(`^${path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`) }));
