// What the mock says of the accounts of the wallet, as node/wallet does: what it refuses, and in which words.
import { Refusal } from './chats.mjs';

/** Wrong passwords before one waits. */
const TRIES = 4;
export const PATH = "m/44'/118'/0'/0/0";

/** Keys from elsewhere that the tests bring in, with their addresses. */
export const FOREIGN = {
  hex: '11'.repeat(32),
  hexAddress: 'pokt1z2xlz0q72nl64t7vn5r7cap86c0hvss5736z94',
  wordsAddress: 'pokt1mw3khla9e2c0jgkss736avtel82ww3wlg7ysux',
  armored: '-----BEGIN TENDERMINT PRIVATE KEY-----\nkdf: argon2\nsalt: A790BB721D1C094260EA84F5E5B72289\n-----END TENDERMINT PRIVATE KEY-----',
  armoredAddress: 'pokt1w60ltusw3j72tn906f7d2y6ev5p4prjyzzvnn4',
};

/** Counts wrong passwords as the wallet does: after the last try one waits. */
export function needsPassword(mock, password) {
  const { it } = mock;
  if (!it.password) return;
  if (it.wrong >= TRIES) throw new Refusal(429, 'wait', 'too many wrong passwords: try again in 60 s', null, { seconds: 60 });
  if (password === it.password) return void (it.wrong = 0);
  it.wrong = (it.wrong ?? 0) + 1;
  const left = TRIES - it.wrong;
  if (left === 0) throw new Refusal(429, 'wait', 'too many wrong passwords: try again in 60 s', null, { seconds: 60 });
  throw new Refusal(403, 'wrong_password', `wrong password; ${left} tries left before a minute of waiting`, null, { tries_left: left });
}

const accounts = (mock) => mock.it.walletPage.accounts;
const known = (mock, id) => {
  const found = accounts(mock).find((one) => String(one.id) === id);
  if (!found) throw new Refusal(404, 'no_account', `there is no account "${id}" in this wallet`);
  return found;
};
function freeLabel(mock, label, id) {
  if (accounts(mock).some((one) => one.id !== id && one.label === label)) throw new Refusal(409, 'label_taken', `there is an account "${label}" already`, null, { label });
  return label;
}
/** Gives an account its tasks; whoever had one of them has it no more. */
function assign(mock, account, purposes) {
  if (account.kind === 'watch' && purposes.some((one) => ['operator', 'gateway'].includes(one))) throw new Refusal(409, 'only_watched', 'an account that is only watched cannot sign unattended, nor take the place of a key that is here');
  for (const other of accounts(mock)) other.purposes = other.purposes.filter((one) => !purposes.includes(one));
  account.purposes = [...purposes];
}
function put(mock, { kind, path = null, address }, { label, purposes = [] }) {
  const here = accounts(mock).find((one) => one.address === address);
  if (here) throw new Refusal(409, 'account_known', `this account is in the wallet already, as "${here.label}": nothing was changed`, null, { label: here.label });
  const id = mock.next++;
  const account = { id, label: freeLabel(mock, label ?? `account ${id}`, id), kind, path, address, purposes: [], state: kind === 'watch' ? 'elsewhere' : 'open' };
  assign(mock, account, purposes);
  accounts(mock).push(account);
  return account;
}

/** The address of a key from elsewhere, or what is wrong with it. */
const keyOf = {
  next: (mock, { path }) => ({ kind: 'words', path: path ?? "m/44'/118'/0'/0/2", address: mock.it.nextAddress ?? FOREIGN.wordsAddress }),
  words: (mock, { words, passphrase, path }) => {
    const place = words.split(/\s+/).indexOf('zzz');
    if (place >= 0) throw new Refusal(400, 'word_unknown', `word ${place + 1} is none of the list`, null, { place: place + 1 });
    const found = mock.it.found?.accounts.find((one) => one.path === path);
    return { kind: 'words', path: path ?? PATH, address: found?.address ?? (passphrase ? FOREIGN.armoredAddress : FOREIGN.wordsAddress) };
  },
  hex: (_, { hex }) => {
    if (!/^[0-9a-f]{64}$/i.test(hex)) throw new Refusal(400, 'key_wrong', 'a secret key in hex is 64 digits');
    return { kind: 'raw', address: FOREIGN.hexAddress };
  },
  armored: (_, { text, passphrase }) => {
    if (!text.includes('BEGIN TENDERMINT')) throw new Refusal(400, 'armor_wrong', 'this is no export of pocketd: it has no head');
    if (passphrase !== 'export phrase') throw new Refusal(403, 'armor_passphrase', 'this passphrase does not open the exported key');
    return { kind: 'armored', address: FOREIGN.armoredAddress };
  },
};

export const unknown = { spendable: '0', supplier: null, gateway: null, application: null };
/** What the chain knows of an address: what a test says, else what the rest of the world says. */
function onChain({ it }, address) {
  if (it.onChain?.[address]) return it.onChain[address];
  const { supplier, application, gateway } = it.roles;
  return {
    spendable: it.balances.places.find((one) => one.address === address && one.kind.startsWith('spendable'))?.amount ?? '0',
    supplier: supplier?.operator === address ? { owner: supplier.owner, stake: supplier.stake, services: supplier.services.map((one) => one.service) } : null,
    gateway: gateway?.address === address ? gateway.stake : null,
    application: application?.address === address ? application.stake : null,
  };
}

/** A step whose key is elsewhere, as POST /roles/review gives it. */
export function unsignedStep(account, amount = '1000000000') {
  const message = { '@type': '/pocket.application.MsgStakeApplication', address: account, stake: { denom: 'upokt', amount }, services: [{ service_id: 'llm-r1-14b' }] };
  const unsigned = {
    body: { messages: [message], memo: '', timeout_height: '0', extension_options: [], non_critical_extension_options: [] },
    auth_info: { signer_infos: [], fee: { amount: [{ denom: 'upokt', amount: '1' }], gas_limit: '84000', payer: '', granter: '' }, tip: null },
    signatures: [],
  };
  const command = `pocketd tx sign unsigned.json --from ${account} --chain-id pocket --sign-mode direct --offline --account-number 12 --sequence 3 --output-document signed.json`;
  return { purpose: 'application', account, amount, messages: [message], unsigned, command };
}

/** Whose signature a file wants: one of this wallet's keys. */
function signerOf(mock, tx) {
  if (!tx?.body?.messages) throw new Refusal(400, 'tx_wrong', 'this is no transaction in the JSON of pocketd: missing field `body`');
  if (tx.signatures.length) throw new Refusal(400, 'tx_wrong', 'this transaction carries a signature already');
  const address = tx.body.messages[0].address;
  const found = accounts(mock).find((one) => one.address === address);
  if (!found || found.kind === 'watch') throw new Refusal(409, 'only_watched', `the key of ${address} is not in this wallet, which only watches the account: sign elsewhere`);
  return address;
}

export const accountHandlers = {
  'GET /wallet/accounts': (mock) => ({ accounts: accounts(mock).map((account) => ({ account, on_chain: onChain(mock, account.address) })) }),
  'POST /wallet/accounts': (mock, { body }) => {
    const key = keyOf[body.key.kind](mock, body.key);
    needsPassword(mock, body.password);
    return put(mock, key, body);
  },
  'POST /wallet/watch': (mock, { body }) => {
    const taken = accounts(mock).some((one) => one.kind !== 'watch' && one.purposes.some((purpose) => body.purposes?.includes(purpose)));
    if (taken) throw new Refusal(409, 'only_watched', 'an account that is only watched cannot sign unattended, nor take the place of a key that is here');
    return put(mock, { kind: 'watch', address: body.address }, body);
  },
  'PATCH /wallet/accounts/{id}': (mock, { id, body }) => {
    const account = known(mock, id);
    if (body.purposes) {
      needsPassword(mock, body.password);
      assign(mock, account, body.purposes);
    }
    if (body.label) account.label = freeLabel(mock, body.label, account.id);
    return account;
  },
  'POST /wallet/accounts/{id}/remove': (mock, { id, body }) => {
    const account = known(mock, id);
    if (account.kind !== 'watch') {
      if (account.purposes.length) throw new Refusal(409, 'account_in_use', `"${account.label}" is in use: give its purposes to another account first`);
      needsPassword(mock, body.password);
    }
    mock.it.walletPage.accounts = accounts(mock).filter((one) => one !== account);
    return mock.it.walletPage;
  },
  'POST /wallet/accounts/{id}/export': (mock, { id, body }) => {
    const account = known(mock, id);
    if (account.kind === 'watch') throw new Refusal(409, 'only_watched', 'the key is not in this wallet');
    needsPassword(mock, body.password);
    if (body.form === 'words' && account.kind !== 'words') throw new Refusal(409, 'no_words', 'this key has no recovery words: export it as hex or armored');
    if (body.form === 'words') return { account, words: mock.it.exportedWords, passphrase: mock.it.exportedPassphrase ?? null };
    return { account, key: body.form === 'hex' ? FOREIGN.hex : FOREIGN.armored };
  },
  'POST /wallet/password': (mock, { body }) => {
    needsPassword(mock, body.password);
    if (body.new_password === mock.it.apart) throw new Refusal(400, 'same_password', 'this password must open nothing but the working key');
    mock.it.password = body.new_password;
    return mock.it.walletPage;
  },
  'POST /wallet/seal-operator': (mock, { body }) => {
    if (body.password === body.passphrase) throw new Refusal(400, 'same_password', 'this password must open nothing but the working key');
    needsPassword(mock, body.password);
    if (!accounts(mock).some((one) => one.purposes.includes('operator'))) throw new Refusal(409, 'no_key_for', 'no key of this wallet signs unattended');
    mock.it.apart = body.passphrase;
    return Object.assign(mock.it.walletPage, { sealed_apart: true });
  },
  'POST /wallet/discover': (mock, { body }) => {
    if (body.kind === 'here') needsPassword(mock, body.password);
    else if (body.words.includes('zzz')) keyOf.words(mock, body);
    return { ...mock.it.found, accounts: mock.it.found.accounts.map((one) => ({ ...one, label: accounts(mock).find((other) => other.address === one.address)?.label ?? null })) };
  },
  'POST /wallet/tx/review': (mock, { body }) => {
    const account = signerOf(mock, body.tx);
    const { messages, memo, timeout_height } = body.tx.body;
    const { fee } = body.tx.auth_info;
    const content = { chain_id: mock.it.status.network.chain_id, messages, memo, sent: '0', account_number: 12, sequence: 3, fee: fee.amount[0].amount, gas: Number(fee.gas_limit), timeout_height: Number(timeout_height) || null };
    return { account, account_number: 12, sequence: 3, content, needs_password: mock.it.status.wallet.main_locked };
  },
  'POST /wallet/tx/sign': (mock, { body }) => {
    const { tx, sequence } = body.file;
    signerOf(mock, tx);
    if (mock.it.status.wallet.main_locked) needsPassword(mock, body.password);
    const signer = { public_key: { '@type': '/cosmos.crypto.secp256k1.PubKey', key: 'A7Kl' }, mode_info: { single: { mode: 'SIGN_MODE_DIRECT' } }, sequence: String(sequence) };
    return { tx: { ...tx, auth_info: { ...tx.auth_info, signer_infos: [signer] }, signatures: ['c2ln'] } };
  },
  'POST /roles/broadcast': (mock, { body }) => {
    const { tx } = body;
    if (!tx?.body?.messages) throw new Refusal(400, 'tx_wrong', 'this is no transaction in the JSON of pocketd: missing field `body`');
    if (!tx.signatures.length) throw new Refusal(400, 'tx_wrong', 'this transaction carries no signature');
    const step = mock.it.unsigned;
    if (!step || JSON.stringify(tx.body.messages) !== JSON.stringify(step.messages)) throw new Refusal(409, 'tx_not_asked', 'nothing of the kind was given out here');
    return { account: step.account, tx: 'B0'.repeat(32), height: 871_211, messages: tx.body.messages };
  },
};
