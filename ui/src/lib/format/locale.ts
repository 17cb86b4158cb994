import { getLocale } from '$lib/paraglide/runtime';

/** The tag for `Intl`: the UI's language with the browser's region where they agree, guarded against "C" and worse. */
export function localeTag(): string {
  const language = getLocale();
  const own = typeof navigator === 'undefined' ? '' : (navigator.language ?? '');
  const wished = own.toLowerCase().startsWith(`${language}-`) ? own : language;
  try {
    return Intl.getCanonicalLocales(wished)[0] ?? language;
  } catch {
    return language;
  }
}
