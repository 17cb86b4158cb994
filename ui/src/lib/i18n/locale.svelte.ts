// The language as reactive state: message functions read it through the runtime, so a change redraws every text.
import { baseLocale, locales, overwriteGetLocale, type Locale } from '$lib/paraglide/runtime';

class LocaleState {
  current = $state<Locale>(baseLocale);
}
const state = new LocaleState();
overwriteGetLocale(() => state.current);

export const isLocale = (tag: string): tag is Locale => (locales as readonly string[]).includes(tag);

/** The first language of the browser that we speak. */
export function browserLocale(): Locale {
  for (const tag of navigator.languages ?? []) {
    const language = tag.toLowerCase().split('-')[0] ?? '';
    if (isLocale(language)) return language;
  }
  return baseLocale;
}

/** Sets the language; `null` follows the browser. */
export function useLocale(tag: string | null): void {
  state.current = tag !== null && isLocale(tag) ? tag : browserLocale();
  document.documentElement.lang = state.current;
}
