// What earning with an own stake still needs, in the order in which a person gets it; nothing here guesses.
import type { Balances, ConfigPage, Model, NetworkPage, RolesPage, Status } from '$lib/api/generated';
import { ownDevnet } from './node';

export type NeedCode = 'chain' | 'trust' | 'wallet' | 'backup' | 'model' | 'service' | 'url' | 'restart' | 'money' | 'stake' | 'start';
/** `advised`: it works without, and is safer with it. */
export type NeedState = 'met' | 'missing' | 'unknown' | 'advised';
export type Need = { code: NeedCode; state: NeedState };

export type Known = {
  status: Status;
  network: NetworkPage | null;
  roles: RolesPage | null;
  balances: Balances | null;
  models: Model[] | null;
  config: ConfigPage | null;
};

const met = (yes: boolean | null | undefined): NeedState => (yes == null ? 'unknown' : yes ? 'met' : 'missing');

export const settingOf = (config: ConfigPage | null, key: string): string | null => (config ? (config.settings.find((one) => one.key === key)?.value ?? '') : null);

const SERVICES = 'miner.services.';
/** The services that the configuration sells. */
export const soldIn = (config: ConfigPage | null): string[] =>
  (config?.settings ?? []).filter((one) => one.key.startsWith(SERVICES)).map((one) => one.key.slice(SERVICES.length));

/** What a wallet can set aside now. */
export const spendable = (balances: Balances | null): bigint | null => {
  const place = balances?.places.find((one) => one.kind === 'spendable_main');
  return balances ? BigInt(place?.amount ?? '0') : null;
};

function chain({ status }: Known): NeedState {
  const problem = status.chain_problem;
  if (problem) return problem.code === 'chain_syncing' ? 'unknown' : problem.code === 'chain_unverified' ? 'met' : 'missing';
  return status.head ? 'met' : 'unknown';
}

function trust({ status, network }: Known): NeedState {
  if (status.chain_problem?.code === 'trust_conflict') return 'missing';
  if (!network?.trust) return 'unknown';
  return network.trust.source.startsWith('agreed by') ? 'advised' : 'met';
}

function money({ roles, balances }: Known): NeedState {
  if (roles?.supplier) return 'met';
  const there = spendable(balances);
  return met(roles && there !== null ? there >= BigInt(roles.terms.supplier_least) : null);
}

/** The set-up of the own play network stakes for a service of its own; where it was never run, a person does all of it. */
const setsItselfUp = (status: Status): boolean => ownDevnet(status) && (status.setup.done || status.setup.running);

function stake({ status, roles }: Known): NeedState {
  if (ownDevnet(status) && status.setup.running) return 'met';
  if (!status.wallet.exists) return 'missing';
  const isStaked = met(roles ? roles.supplier != null && !roles.supplier.leaving : null);
  // Staked for services that are not sold here is not staked for this node.
  return isStaked === 'met' && status.earning.reasons.some((one) => one.code === 'no_staked_service') ? 'missing' : isStaked;
}

export function needsOf(known: Known): Need[] {
  const { status, models, config } = known;
  const doesItself = setsItselfUp(status);
  const answers = models?.some((model) => model.kind !== 'network' && model.task === 'chat');
  const sells = config ? soldIn(config).length > 0 : null;
  const list: Need[] = [
    { code: 'chain', state: chain(known) },
    { code: 'trust', state: trust(known) },
    { code: 'wallet', state: met(status.wallet.exists) },
    { code: 'backup', state: met(status.wallet.words_checked) },
    { code: 'model', state: met(answers || (config ? settingOf(config, 'miner.backend') !== '' || (models === null ? null : false) : null)) },
    { code: 'service', state: doesItself ? 'met' : met(sells) },
    { code: 'url', state: doesItself ? 'met' : met(config ? settingOf(config, 'miner.public_url') !== '' : null) },
    { code: 'restart', state: met(config ? !config.needs_restart : null) },
    { code: 'money', state: money(known) },
    { code: 'stake', state: stake(known) },
    { code: 'start', state: met(status.earning.state !== 'off') },
  ];
  // A start that nothing waits for is no need.
  return list.filter((need) => need.code !== 'restart' || need.state === 'missing');
}

/** What to do next: the first that is missing. */
export const nextOf = (needs: Need[]): NeedCode | null => needs.find((need) => need.state === 'missing')?.code ?? null;
