// A transaction as a series of codes to scan, and back. The form is written down in docs/unsigned-transactions.md.
//
// Each frame is one line of ASCII: `HTX1/<number>/<of>/<checksum>/<piece>`. The checksum is the CRC-32 of the whole file
// and names the series; the pieces are base64url, one after the other. It finds what was lost or mixed on the way. It
// proves nothing: the node checks the signature.

const MARK = 'HTX1';
/** Bytes of the file in one frame: with its head it is as long as the node draws a code, 300 bytes. */
export const PIECE_BYTES = 210;
/** A transaction of 40 KB is more than the chain takes. */
const MOST_FRAMES = 200;
const FRAME = /^HTX1\/([1-9]\d{0,2})\/([1-9]\d{0,2})\/([0-9a-f]{8})\/([A-Za-z0-9_-]+)$/;

/** The CRC-32 of zip and PNG. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
const checksumOf = (bytes: Uint8Array): string => crc32(bytes).toString(16).padStart(8, '0');

const encode = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
function decode(piece: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(piece.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** The frames of a file, in order. */
export function toFrames(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const count = Math.max(1, Math.ceil(bytes.length / PIECE_BYTES));
  const checksum = checksumOf(bytes);
  return Array.from({ length: count }, (_, at) => `${MARK}/${at + 1}/${count}/${checksum}/${encode(bytes.subarray(at * PIECE_BYTES, (at + 1) * PIECE_BYTES))}`);
}

/** What became of one text that was read. */
export type Taken = 'taken' | 'doubled' | 'damaged' | 'foreign' | 'newer' | 'other';

/** Collects the frames of one file, in any order, over any number of tries. */
export class Series {
  private readonly pieces = new Map<number, Uint8Array>();
  private checksum: string | null = null;
  count = 0;

  /** Takes a frame, or says why not. */
  take(text: string): Taken {
    const line = text.trim();
    const parts = FRAME.exec(line);
    if (!parts) {
      if (/^HTX\d+\//.test(line) && !line.startsWith(`${MARK}/`)) return 'newer';
      return line.startsWith(`${MARK}/`) ? 'damaged' : 'foreign';
    }
    const [number, count] = [Number(parts[1]), Number(parts[2])];
    const [checksum = '', piece = ''] = parts.slice(3);
    const bytes = decode(piece);
    if (!bytes || number > count || count > MOST_FRAMES) return 'damaged';
    if (this.checksum !== null && (checksum !== this.checksum || count !== this.count)) return 'other';
    const known = this.pieces.get(number);
    if (known) return known.join() === bytes.join() ? 'doubled' : 'damaged';
    this.checksum = checksum;
    this.count = count;
    this.pieces.set(number, bytes);
    return 'taken';
  }

  /** The numbers of the frames that are not there yet. */
  get missing(): number[] {
    return Array.from({ length: this.count }, (_, at) => at + 1).filter((number) => !this.pieces.has(number));
  }

  get isEmpty(): boolean {
    return this.pieces.size === 0;
  }

  /** The file, once all of it is there; `null` where the pieces do not make it. */
  text(): string | null {
    const parts = [...this.pieces].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
    if (this.count === 0 || this.missing.length > 0 || checksumOf(bytes) !== this.checksum) return null;
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return null;
    }
  }
}
