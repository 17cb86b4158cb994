// HTML of finished blocks, sanitised and cached by content.
import DOMPurify from 'dompurify';
import { beginBlock } from './math';
import { toHtml } from './parser';
import { version } from './versions';

const LIMIT = 2000; // blocks; an answer has some 50, so this is the last 40 long answers, about 2 MB of text
const cache = new Map<string, string>();

DOMPurify.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName !== 'A') return;
  // A path of our own page, or an anchor, is nothing that an answer could mean.
  if (!/^(?:https?|mailto):/i.test(node.getAttribute('href') ?? '')) node.removeAttribute('href');
  node.setAttribute('target', '_blank');
  node.setAttribute('rel', 'noopener noreferrer');
});

const RULES = {
  USE_PROFILES: { html: true, mathMl: true },
  ADD_ATTR: ['target'],
  FORBID_TAGS: ['img', 'picture', 'source', 'video', 'audio', 'iframe', 'form', 'input', 'button', 'style', 'svg', 'link'],
  FORBID_ATTR: ['style', 'id', 'name', 'srcset', 'src'],
  // The second half lets values through that are no addresses, such as display="block".
  ALLOWED_URI_REGEXP: /^(?:(?:https?|mailto):|[^a-z]|[a-z+.-]+(?:[^a-z+.\-:]|$))/i,
};

/** Sanitised HTML. Where the sanitiser cannot work nothing is rendered as HTML at all. */
export function sanitise(html: string): string | null {
  return DOMPurify.isSupported ? DOMPurify.sanitize(html, RULES) : null;
}

/** The HTML of one block, or `null` where only its text may be shown. */
export function htmlOf(raw: string): string | null {
  const key = `${version()}\u0000${raw}`;
  const hit = cache.get(key);
  if (hit !== undefined) return hit;
  const html = readable(raw);
  if (html === null) return null;
  if (cache.size >= LIMIT) cache.delete(cache.keys().next().value ?? '');
  cache.set(key, html);
  return html;
}

function readable(raw: string): string | null {
  beginBlock();
  try {
    return sanitise(toHtml(raw));
  } catch {
    return null;
  }
}
