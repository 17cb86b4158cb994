// What became of the money of an answer, and how the answer ended.
import type { BoughtAnswer, Charge, Receipt, Upokt } from '$lib/api/generated';
import { m } from '$lib/paraglide/messages';

/** Receipts of older versions only say a cost where it was paid. */
const charged = (said: Charge | undefined, cost: Upokt | null | undefined): Charge => said ?? (cost ? 'paid' : 'unpaid');

export const chargeOf = (receipt: Receipt): Charge | 'free' => (receipt.kind === 'local' ? 'free' : charged(receipt.network?.charge, receipt.cost));
export const chargeOfBought = (answer: BoughtAnswer): Charge => charged(answer.receipt.charge, answer.cost);

export const chargeName = (charge: Charge): string => ({ paid: m.receipt_paid, unpaid: m.receipt_unpaid, unknown: m.receipt_unknown })[charge]();

/** Nothing is said of an answer that came whole. */
export function outcomeName(outcome: string): string | null {
  if (outcome === 'complete') return null;
  return outcome === 'cancelled' ? m.outcome_cancelled() : m.outcome_failed();
}
