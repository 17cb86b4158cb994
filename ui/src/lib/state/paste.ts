// What comes out of the clipboard or is dropped.

/** From here on a pasted text is offered to be a file. */
export const LONG_PASTE = 8000;

/** Files that were pasted. Office programs lay a picture beside the text: then the text is meant. */
export function pastedFiles(data: Pick<DataTransfer, 'files' | 'getData'> | null): File[] {
  if (!data || data.getData('text/plain') !== '') return [];
  return [...data.files];
}

/** A text so long that it may rather be a file, as the field will hold it. */
export function pastedLong(data: Pick<DataTransfer, 'getData'> | null): string | null {
  const text = data?.getData('text/plain').replaceAll(/\r\n?/g, '\n') ?? '';
  return text.length > LONG_PASTE ? text : null;
}

/** The text without the first place of a part. */
export function withoutOnce(text: string, part: string): string {
  const at = text.indexOf(part);
  return at < 0 ? text : text.slice(0, at) + text.slice(at + part.length);
}
