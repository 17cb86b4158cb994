// Presets and parameters as values.
import type { AnswerParams, Preset } from '$lib/api/generated';

/** Only what is set; the node says `null` for what is not. */
export const given = (params: AnswerParams): AnswerParams =>
  Object.fromEntries(Object.entries(params).filter(([, value]) => value !== null && value !== undefined)) as AnswerParams;

const sorted = (params: AnswerParams): string => JSON.stringify(Object.entries(given(params)).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Whether a chat is set as the preset says. A preset without a model goes with every one. */
export function isAs(preset: Preset, chat: { params: AnswerParams; system_prompt: string; model: string | null }): boolean {
  return (
    (preset.system_prompt ?? '') === chat.system_prompt && sorted(preset.params) === sorted(chat.params) && (!preset.model || preset.model === chat.model)
  );
}
