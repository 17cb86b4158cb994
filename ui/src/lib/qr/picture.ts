// Reads codes from files of pictures, in the page: nothing of a picture leaves this computer.
import decodeQR from 'qr/decode.js';

/** Larger pictures are made smaller first: a code needs few of their dots. */
const LONGEST_SIDE = 1600;
/** How long a picture is looked at. */
const LOOKS_MS = 1000;

/** Red, green, blue and opacity of each dot, row by row. */
export type Picture = { width: number; height: number; data: Uint8ClampedArray };

async function pictureOf(file: Blob): Promise<Picture> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('this browser draws no pictures');
  context.fillStyle = '#fff'; // What is transparent counts as paper.
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { width, height, data: context.getImageData(0, 0, width, height).data };
}

/** The text of the code in a picture; `null` where there is none that can be read. */
export function find(picture: Picture): string | null {
  try {
    return decodeQR(picture, { timeLimit: LOOKS_MS });
  } catch {
    return null;
  }
}

/** The text of the code in a file; `null` where it is no picture or shows no code that can be read. */
export async function readPicture(file: Blob): Promise<string | null> {
  const picture = await pictureOf(file).catch(() => null);
  return picture && find(picture);
}
