// Short texts of the node that have one of a few shapes, in the person's language. A text of another shape is told like
// any other: as it is on an English page, under Details on any other.
import { height } from '$lib/format/figures';
import { localeTag } from '$lib/format/locale';
import { m } from '$lib/paraglide/messages';
import { told } from './technical';

type Told = ReturnType<typeof told>;
type Text = string | null | undefined;
const say = (shown: string): Told => ({ shown, details: null });
const oneOf = (words: Record<string, () => string>, text: Text): Told => (text && words[text] ? say(words[text]()) : told(text));

/** What a model needs and what is there. */
export function fitFact(text: Text): Told {
  const [, needed, free] = /^([\d.]+) GB needed, ([\d.]+) GB free$/.exec(text ?? '') ?? [];
  const figure = (value: string) => new Intl.NumberFormat(localeTag(), { maximumFractionDigits: 1 }).format(Number(value));
  return needed && free ? say(m.fit_fact({ needed: figure(needed), free: figure(free) })) : told(text);
}

/** Where trust in the chain starts. */
export function trustSource(text: Text): Told {
  const [, count] = /^agreed by (\d+) endpoints?$/.exec(text ?? '') ?? [];
  if (count) return say(m.trust_agreed({ count: Number(count) }));
  return oneOf({ 'a person': m.trust_person, configuration: m.trust_configuration, "this computer's devnet": m.trust_devnet, 'network file': m.trust_file }, text);
}

/** When a stake comes back. */
export function roleNote(text: Text): Told {
  const [, last] = /^on its way back, last block (\d+)$/.exec(text ?? '') ?? [];
  return last ? say(m.role_leaves({ height: height(Number(last)) })) : told(text);
}

/** Why a supplier is not chosen. */
export const avoidedWhy = (text: Text): Told =>
  oneOf({ 'it failed of late and rests': m.avoided_rests, 'it signed something else than it sent': m.avoided_distrusted }, text);

/** Why a chat of a file was not taken in. */
export function skippedWhy(text: Text): Told {
  if (text?.startsWith('it cannot be read: ')) return { shown: m.skipped_unreadable(), details: text };
  return oneOf({ 'it is here already': m.skipped_here, 'it has no messages with text': m.skipped_empty, 'its messages go in a circle': m.skipped_circle }, text);
}

const VARIABLE = 'environment ';
/** Where a value of the configuration comes from: files and variables have the same name in every language. */
export function originName(origin: string): string {
  if (origin === 'built-in') return m.origin_builtin();
  if (origin.startsWith(VARIABLE)) return m.origin_environment({ name: origin.slice(VARIABLE.length) });
  return origin === 'flag' ? m.origin_flag() : origin;
}
