// Texts of the node are English. On an English page they may stand among our own words; on any other they are
// technical text and go under Details, as long as they are more than figures.
import { getLocale } from '$lib/paraglide/runtime';

export const speaksAsNode = (): boolean => getLocale() === 'en';

const UNITS = /\b(?:B|kB|MB|GB|TB|ms|s|min|h|d|POKT|upokt|GGUF|CID)\b/g;

/** Figures, units and addresses read the same in every language. */
const isFigures = (text: string): boolean => !/[a-z]{2}/i.test(text.replaceAll(UNITS, ''));

/** What of a text may be shown as it is, and what goes under Details. */
export function told(text: string | null | undefined): { shown: string | null; details: string | null } {
  if (!text) return { shown: null, details: null };
  return speaksAsNode() || isFigures(text) ? { shown: text, details: null } : { shown: null, details: text };
}

/** Several texts of the node as one. */
export const joined = (...texts: (string | null | undefined)[]): string | null => texts.filter(Boolean).map((text) => sentence(text ?? '')).join(' ') || null;

/** The API begins its messages with a small letter and ends them without a full stop. */
export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}
