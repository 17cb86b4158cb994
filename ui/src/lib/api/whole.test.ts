import { expect, test } from 'vitest';
import { whole } from './whole';

test('a file holds a list from its first entry to its last, each once, also when new ones come in meanwhile', async () => {
  const list = Array.from({ length: 1730 }, (_, at) => ({ id: `${at}` }));
  const asked: number[] = [];
  const all = await whole(
    ({ limit, offset }) => {
      asked.push(offset);
      const page = list.slice(offset, offset + limit);
      list.unshift({ id: `new ${offset}` });
      return Promise.resolve(page);
    },
    (one) => one.id,
  );
  expect(asked).toEqual([0, 500, 1000, 1500]);
  expect(all).toHaveLength(1730);
  expect(new Set(all.map((one) => one.id)).size).toBe(1730);
});
