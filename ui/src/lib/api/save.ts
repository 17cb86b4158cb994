// Files that the node makes, saved by the browser. They are fetched by the page itself, since a plain link would say
// nothing in words when the node refuses.
import { send, type Call, type Options } from './request';

type Table = Extract<Call, `GET ${string}.csv`>;
type File = Extract<Call, `GET ${string}`>;

/** The name that the node gives the file. */
export function fileName(disposition: string | null, fallback = 'hearth.csv'): string {
  const coded = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? '')?.[1];
  try {
    if (coded) return decodeURIComponent(coded);
  } catch {
    // The plain name is there for those who cannot read the coded one.
  }
  return /filename="([^"]+)"/.exec(disposition ?? '')?.[1] ?? fallback;
}

export async function saveFile<C extends File>(call: C, options: Options<C>, accept: string, fallback: string): Promise<void> {
  const response = await send(call, options, accept);
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName(response.headers.get('content-disposition'), fallback);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const saveTable = (table: Table): Promise<void> => saveFile(table, {} as Options<Table>, 'text/csv', 'hearth.csv');
