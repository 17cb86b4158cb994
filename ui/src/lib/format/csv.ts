type Cell = string | number | null | undefined;

/** CSV after RFC 4180. A cell that a spreadsheet would run as a formula is made text. */
export function csvOf(head: string[], rows: Cell[][]): string {
  const cell = (value: Cell): string => {
    const text = value == null ? '' : String(value);
    const safe = /^[=+\-@\t]/.test(text) && !/^-?\d/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

export function saveCsv(name: string, head: string[], rows: Cell[][]): void {
  const url = URL.createObjectURL(new Blob([csvOf(head, rows)], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
