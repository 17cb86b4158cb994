// Pictures of QR codes, and the frames of docs/unsigned-transactions.md.
import { crc32 } from 'node:zlib';
import encodeQR from '../../../ui/node_modules/qr/index.js';

/** The code of a text as the node draws it: rows of modules, `1` is dark. */
export function codeOf(text) {
  // The library draws a margin of at least one module.
  const rows = encodeQR(text, 'raw', { ecc: 'medium', border: 1 }).slice(1, -1).map((row) => row.slice(1, -1).map(Number).join(''));
  return { size: rows.length, rows };
}

/** A picture of it. */
export const pictureOf = (text) => Buffer.from(encodeQR(text, 'gif', { ecc: 'medium', scale: 4 }));

/** A file as frames, by the words of docs/unsigned-transactions.md alone. */
export function framesOf(text, bytes = 210) {
  const file = Buffer.from(text);
  const count = Math.ceil(file.length / bytes);
  const checksum = crc32(file).toString(16).padStart(8, '0');
  return Array.from({ length: count }, (_, at) => `HTX1/${at + 1}/${count}/${checksum}/${file.subarray(at * bytes, (at + 1) * bytes).toString('base64url')}`);
}
