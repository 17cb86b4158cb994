import { m } from '$lib/paraglide/messages';

const LENGTH = 43; // "pokt1", 32 letters of the key's hash, 6 of the checksum
const LETTERS = /^[qpzry9x8gf2tvdw0s3jn54khce6mua7l]*$/;

/** What is wrong with an address in words, as far as it can be seen without the chain. The node checks the rest. */
export function addressFault(text: string): string | null {
  if (text === '') return m.address_missing();
  if (!text.startsWith('pokt1')) return m.address_prefix();
  if (text.length < LENGTH) return m.address_short({ count: LENGTH - text.length });
  if (text.length > LENGTH) return m.address_long({ count: text.length - LENGTH });
  return LETTERS.test(text.slice(5)) && checksum(text) ? null : m.address_checksum();
}

const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** The checksum of bech32: a mistyped letter is found here, before anything is sent anywhere. */
function checksum(address: string): boolean {
  const values = [...'pokt'].map((letter) => letter.charCodeAt(0) >> 5);
  values.push(0, ...[...'pokt'].map((letter) => letter.charCodeAt(0) & 31));
  values.push(...[...address.slice(5)].map((letter) => ALPHABET.indexOf(letter)));
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((part, bit) => {
      if ((top >>> bit) & 1) sum ^= part;
    });
  }
  return sum >>> 0 === 1;
}
