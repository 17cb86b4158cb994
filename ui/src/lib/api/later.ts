// What a node says that this page may meet before or after it learnt to: absent fields are what an older node leaves out.
import type { History, NetworkReceipt, Receipt, Settings, SettingsPatch, Standing, Status, Upokt } from './generated';

/** What an error says beside what happened and what to do. */
export type ErrorMore = { meaning?: string | null; details?: string | null; values?: Record<string, string> };

/** Whether the supplier of an answer is paid. */
export type Charge = 'paid' | 'unpaid' | 'unknown';

/** What became of the money of an answer; an older node said a cost where it was paid. */
export function chargeOf(receipt: Receipt): Charge | 'free' {
  const network: (NetworkReceipt & { charge?: Charge }) | null | undefined = receipt.network;
  if (receipt.kind === 'local') return 'free';
  return network?.charge ?? (receipt.cost ? 'paid' : 'unpaid');
}

export type NetworkBudget = { daily_cap: Upokt; spent_today: Upokt };
export const budgetOf = (settings: (Settings & { network_budget?: NetworkBudget }) | null): NetworkBudget | null => settings?.network_budget ?? null;
export const capPatch = (daily_cap: Upokt): SettingsPatch => ({ daily_cap }) as SettingsPatch;

/** How old a figure of the chain was when it was read. */
export const ageOf = (standing: Standing & { age_s?: number | null }): number | null => standing.age_s ?? null;

export type ChainProblem = { code: string; fact?: string | null; meaning: string; remedy?: string | null };
export const chainProblem = (status: Status & { chain_problem?: ChainProblem | null }): ChainProblem | null => status.chain_problem ?? null;

/** A payment that this wallet signed and that is in no block. */
export type OpenPayment = {
  tx: string;
  state: 'on_its_way' | 'failed' | 'unknown';
  to?: string | null;
  amount: Upokt;
  fee: Upokt;
  memo?: string | null;
  time: string;
  why?: string | null;
};
export const openPayments = (history: (History & { payments?: OpenPayment[] }) | null): OpenPayment[] => history?.payments ?? [];
