// What is typed stays, whatever is read meanwhile.
import { expect, test } from 'vitest';
import { Field } from './field.svelte';

test('what is typed stays until it is saved', () => {
  let kept = 'old';
  const field = new Field(() => kept);
  expect(field.value).toBe('old');
  kept = 'newer';
  expect(field.value).toBe('newer');
  field.value = 'typed';
  kept = 'read anew';
  expect(field.value).toBe('typed');
  field.value = '';
  expect(field.value).toBe('');
  field.reset();
  expect(field.value).toBe('read anew');
});
