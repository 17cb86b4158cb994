// What a preset sets, in one line.
import type { AnswerParams } from '$lib/api/generated';
import { m } from '$lib/paraglide/messages';
import { localeTag } from '$lib/format/locale';

const LONGEST = 120;
const names: Partial<Record<keyof AnswerParams, () => string>> = {
  temperature: m.param_temperature,
  top_p: m.param_top_p,
  max_tokens: m.param_max_tokens,
  seed: m.param_seed,
};

type Settings = { params: AnswerParams; system_prompt: string; model?: string | null };

/** Instructions, then parameters, then the model by its title. */
export function presetFacts(preset: Settings, titleOf: (model: string) => string | null): string {
  const prompt = preset.system_prompt.trim();
  const short = prompt.length > LONGEST ? `${prompt.slice(0, LONGEST).trimEnd()}…` : prompt;
  const params = Object.entries(preset.params).flatMap(([key, value]) => {
    if (value === null || value === undefined) return [];
    const name = names[key as keyof AnswerParams]?.() ?? key;
    return `${name} ${typeof value === 'number' ? new Intl.NumberFormat(localeTag(), { maximumFractionDigits: 3 }).format(value) : String(value)}`;
  });
  const model = preset.model ? titleOf(preset.model) : null;
  return [short ? `“${short}”` : null, ...params, model].filter(Boolean).join(' · ') || m.preset_sets_nothing();
}
