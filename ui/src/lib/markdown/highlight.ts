// Highlighting of closed code blocks. The library and its languages are one chunk that comes with the first block.
import DOMPurify from 'dompurify';

type Highlighter = typeof import('./languages').highlighter;
let loading: Promise<Highlighter> | null = null;

/** HTML of the code, or `null` where the language is not known: then plain text is right. */
export async function highlight(code: string, language: string): Promise<string | null> {
  if (!language || code.length > 60_000) return null;
  loading ??= import('./languages').then((module) => module.highlighter);
  const highlighter = await loading;
  if (!highlighter.getLanguage(language)) return null;
  const html = highlighter.highlight(code, { language, ignoreIllegals: true }).value;
  return DOMPurify.isSupported ? DOMPurify.sanitize(html, { ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'] }) : null;
}
