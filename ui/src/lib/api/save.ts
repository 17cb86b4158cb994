// Files that the node makes, saved by the browser. They are fetched by the page itself, since a plain link would say
// nothing in words when the node refuses.
import { send, type Call } from './request';

type Table = Extract<Call, `GET ${string}.csv`>;

/** The name that the node gives the file. */
export function fileName(disposition: string | null): string {
  return /filename="([^"]+)"/.exec(disposition ?? '')?.[1] ?? 'hearth.csv';
}

export async function saveTable(table: Table): Promise<void> {
  const response = await send(table, {}, 'text/csv');
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName(response.headers.get('content-disposition'));
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
