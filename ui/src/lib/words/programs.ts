// What the programs are that can be connected.
import type { Program } from '$lib/api/generated';
import { m } from '$lib/paraglide/messages';
import { speaksAsNode } from './technical';

export const programs: Record<string, () => string> = {
  'claude-code': m.program_claude_code,
  codex: m.program_codex,
  opencode: m.program_opencode,
  continue: m.program_continue,
  aider: m.program_aider,
  zed: m.program_zed,
  'open-webui': m.program_open_webui,
  cline: m.program_cline,
  'roo-code': m.program_roo_code,
  litellm: m.program_litellm,
  openai: m.program_openai,
  ollama: m.program_ollama,
  curl: m.program_curl,
};

/** One that the page does not know is said in the node's words. */
export const programWords = (program: Program): string => programs[program.id]?.() ?? (speaksAsNode() ? program.what : '');
