// Licences of both halves: the program's own list comes from the node, that of the page was made when it was built.
import { call } from '$lib/api/request';
import { Loaded } from '$lib/controllers/load.svelte';

export type Part = { origin: 'program' | 'page'; name: string; version: string; licence: string; text?: string };

async function ofThePage(): Promise<Part[]> {
  const response = await fetch('/licences.json', { credentials: 'same-origin' });
  if (!response.ok || !response.headers.get('content-type')?.includes('json')) return [];
  const list = (await response.json()) as Omit<Part, 'origin'>[];
  return list.map((part) => ({ origin: 'page', ...part }));
}

class Licences {
  readonly all = new Loaded<Part[]>(async () => {
    const [program, page] = await Promise.all([call('GET /licences'), ofThePage().catch(() => [])]);
    const own: Part[] = program.licences.map(({ name, version, licence }) => ({ origin: 'program', name, version, licence }));
    return [...own, ...page].sort((a, b) => a.name.localeCompare(b.name));
  });
}
export const licences = new Licences();
