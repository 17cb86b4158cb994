// Roles: which form asks for what, and the words of what to know before.
import type { RoleOrder } from '$lib/api/generated';
import { duration } from '$lib/format/figures';

export type RoleForm =
  | 'supplier'
  | 'application'
  | 'gateway'
  | 'unstake_supplier'
  | 'unstake_application'
  | 'unstake_gateway'
  | 'delegate'
  | 'undelegate'
  | 'service';

/** The order of a form that asks for nothing. `operator`: of which supplier, where there are several. */
export function orderOf(form: RoleForm, operator: string | null = null): RoleOrder | null {
  if (form === 'unstake_supplier') return { type: 'unstake', role: 'supplier', ...(operator ? { operator } : {}) };
  if (form === 'unstake_application') return { type: 'unstake', role: 'application' };
  if (form === 'unstake_gateway') return { type: 'unstake', role: 'gateway' };
  if (form === 'delegate') return { type: 'delegate' };
  return form === 'undelegate' ? { type: 'undelegate' } : null;
}

/** A long time, in days where it is that long. */
export const roughly = (seconds: number): string => duration(seconds * 1000);

/** A card as it was typed: an object, nothing, or no card. */
export function readCard(text: string): Record<string, unknown> | null | 'wrong' {
  if (!text.trim()) return null;
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : 'wrong';
  } catch {
    return 'wrong';
  }
}
