// A list of the API from its first entry to its last, for what is saved as a file.
const A_PAGE = 500; // the most that the API gives at once
const MOST_PAGES = 2000; // a million lines: more than a spreadsheet opens

/** Reads page after page. What moves while it is read is not taken twice. */
export async function whole<T>(read: (window: { limit: number; offset: number }) => Promise<T[]>, key: (one: T) => string): Promise<T[]> {
  const all = new Map<string, T>();
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const list = await read({ limit: A_PAGE, offset: page * A_PAGE });
    for (const one of list) all.set(key(one), one);
    if (list.length < A_PAGE) break;
  }
  return [...all.values()];
}
