// Words for the states of earning and of money, from the core's codes.
import type { ClaimState, EarnedSession, Earning, EarningState, Head, MoneyStage, Slash, StageSum } from '$lib/api/generated';
import { clock, height, span, whenBlock } from '$lib/format/figures';
import { plain, summary } from '$lib/format/money';
import { m } from '$lib/paraglide/messages';
import { speaksAsNode } from './technical';

export function stageName(stage: MoneyStage): string {
  return {
    estimate: m.stage_estimate,
    pending: m.stage_pending,
    claimed: m.stage_claimed,
    proven: m.stage_proven,
    settled: m.stage_settled,
    spendable: m.stage_spendable,
    lost: m.stage_lost,
  }[stage]();
}

/** The amount of a stage: nothing waits in one that is not said, but what is spendable is then not known. */
export function amountOf(sums: StageSum[], stage: MoneyStage): string | null {
  const sum = sums.find((one) => one.stage === stage);
  if (!sum) return stage === 'spendable' ? null : '0';
  return sum.amount ?? null;
}

/** The name of a claim that ended badly. */
export function badEnd(state: ClaimState): string {
  switch (state) {
    case 'skipped':
      return m.end_skipped();
    case 'claim_missed':
      return m.end_claim_missed();
    case 'proof_missed':
      return m.end_proof_missed();
    case 'proof_invalid':
      return m.end_proof_invalid();
    case 'expired':
      return m.end_expired();
    default:
      return m.stage_lost();
  }
}

/** The state of one supplier among several. */
export function stateName(state: EarningState, serving: number): string {
  return {
    off: m.earning_off,
    starting: m.earning_starting,
    idle: m.earning_idle,
    serving: () => m.earning_serving({ count: serving }),
    yielding: m.earning_yielding,
    draining: m.earn_stopping,
  }[state]();
}

/** State and detail, as the head of the Earn page and the foot of the sidebar say them. */
export function earningWords(earning: Earning): { title: string; detail: string } {
  switch (earning.state) {
    case 'off': {
      const count = earning.reasons.length;
      return { title: m.earning_off(), detail: count > 0 ? m.earning_todo({ count }) : m.earning_ready() };
    }
    case 'starting':
      return { title: m.earning_starting(), detail: (speaksAsNode() ? earning.detail : null) ?? m.earning_starting_detail() };
    case 'idle':
      return { title: m.earning_idle(), detail: m.earning_waiting({ time: clock(earning.since) }) };
    case 'serving':
      return { title: m.earning_serving({ count: earning.serving }), detail: '' };
    case 'yielding':
      return { title: m.earning_yielding(), detail: yieldWords(earning) };
    case 'draining':
      return { title: m.earning_draining(), detail: m.earning_left({ count: earning.serving }) };
  }
}

function yieldWords(earning: Earning): string {
  return earning.why === 'local_chat' ? m.yield_local_chat() : ((speaksAsNode() ? earning.detail : null) ?? '');
}

const inBlocks = (target: number, head: Head): { blocks: number; time: string } => {
  const { blocks, at } = whenBlock(target, head);
  return { blocks, time: at ? `, ${at}` : '' };
};

/** What happens next with a session, in the words of the table. */
export function nextStep(session: EarnedSession, head: Head | null | undefined): string {
  const at = (target: number | null | undefined, words: (input: { count: number; time: string }) => string): string => {
    if (!target || !head) return '';
    const { blocks, time } = inBlocks(target, head);
    return words({ count: blocks, time });
  };
  switch (session.state) {
    case 'accumulating':
      return head && head.height <= session.end_height ? at(session.end_height + 1, m.next_session_ends) : m.next_closing();
    case 'sealed':
      return head && session.claim_opens && head.height < session.claim_opens
        ? at(session.claim_opens, m.next_claim_opens)
        : m.next_claim_now();
    case 'claim_sent':
      return m.next_claim_sent();
    case 'claim_included':
    case 'proof_due':
      return head && session.proof_opens && head.height < session.proof_opens
        ? at(session.proof_opens, m.next_proof_opens)
        : m.next_proof_now();
    case 'proof_sent':
      return m.next_proof_sent();
    case 'proof_included':
    case 'proof_not_required':
      return at(session.proof_closes, m.next_settles) || m.next_settles_soon();
    case 'settled':
      return session.settled_height ? m.next_paid({ height: height(session.settled_height) }) : m.next_paid_plain();
    case 'skipped':
    case 'claim_missed':
    case 'proof_missed':
    case 'proof_invalid':
    case 'expired':
      return lossWords(session);
  }
}

const blocks = (from: number | null | undefined, to: number | null | undefined) => (from && to ? span(from, to) : '–');

/** Why the work of a session is not paid. What exactly went wrong is in `why`, under Details. */
export function lossWords(session: EarnedSession): string {
  const mayFollow = !session.slash && (session.state === 'proof_missed' || session.state === 'proof_invalid');
  return mayFollow ? `${lossCause(session)} ${m.loss_may_slash()}` : lossCause(session);
}

function lossCause(session: EarnedSession): string {
  switch (session.state) {
    case 'skipped':
      return m.loss_skipped();
    case 'claim_missed':
      return m.loss_claim_missed({ blocks: blocks(session.claim_opens, session.claim_closes) });
    case 'proof_missed':
      return m.loss_proof_missed({ blocks: blocks(session.proof_opens, session.proof_closes) });
    case 'proof_invalid':
      return m.loss_proof_invalid();
    default:
      return m.loss_expired();
  }
}

/** What the chain took of the stake. */
export const slashWords = ({ amount, height: block, stake_after }: Slash): string =>
  m.slash_text({ amount: plain(amount), height: height(block), left: plain(stake_after) });

/** A bad end in short, as it is said while the page is open. */
export const lostWords = (session: EarnedSession): { title: string; detail: string } => ({
  title: m.toast_lost({ span: span(session.start_height, session.end_height) }),
  detail: m.toast_lost_detail({ end: badEnd(session.state), count: session.answers, amount: summary(session.lost ?? session.amount) }),
});
