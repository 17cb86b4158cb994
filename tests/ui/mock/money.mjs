// What the mock says of payments, the address book and labels.
import { Refusal, windowOf } from './chats.mjs';
import { codeOf } from './qr.mjs';

export const contacts = (address) => [{ address, name: 'Exchange', note: 'deposit', created_at: new Date().toISOString() }];

const list = (mock) => ({ contacts: mock.it.contacts });
const save = (mock, given) => {
  for (const one of given) {
    if (mock.it.contacts.some((other) => other.address !== one.address && other.name.toLowerCase() === one.name.toLowerCase())) throw new Refusal(409, 'contact_taken', `"${one.name}" is the name of another address already`);
    if (!one.address.startsWith('pokt1')) throw new Refusal(400, 'address_wrong', `${one.address}: no address`);
  }
  for (const { address, name, note } of given) {
    mock.it.contacts = [...mock.it.contacts.filter((one) => one.address !== address), { address, name, note: note ?? null, created_at: new Date().toISOString() }];
  }
  return list(mock);
};
const alike = (one, other) => one !== other && one.slice(0, 8) === other.slice(0, 8) && one.slice(-3) === other.slice(-3);

/** What claims and proofs cost stays with the working key, unless it is asked for. */
function keepReserve({ it }, { from, below_reserve: isBelow }, left) {
  if (it.reserve === undefined || isBelow || from !== it.status.wallet.working_address || left >= it.reserve) return;
  throw new Refusal(409, 'below_reserve', `${Number(left) / 1e6} POKT would be left, and what is open on the Earn page costs up to ${Number(it.reserve) / 1e6} POKT`, 'Pay less, or from the main key.');
}

/** What there is of a wallet alone. */
export function ofWallet({ it }) {
  if (!it.status.wallet.exists) throw new Refusal(409, 'no_wallet', 'there is no wallet yet');
  return true;
}

export const moneyHandlers = {
  'GET /contacts': list,
  'PUT /contacts': (mock, { body }) => save(mock, [body]),
  'POST /contacts/import': (mock, { body }) => save(mock, body.contacts),
  'DELETE /contacts/{address}': (mock, { address }) => void (mock.it.contacts = mock.it.contacts.filter((one) => one.address !== address)),
  'PUT /wallet/label': (mock, { body }) => void (mock.it.labels[body.movement] = body.label || undefined),
  'GET /wallet/history': (mock, { query }) => {
    ofWallet(mock);
    const [kinds, words, since, until] = [query.get('kinds')?.split(','), query.get('q')?.toLowerCase() ?? '', query.get('since'), query.get('until')];
    const named = mock.it.history.map((one) => ({ ...one, label: mock.it.labels[one.id] ?? null, name: mock.it.contacts.find((other) => other.address === one.counterparty)?.name ?? null }));
    const fits = (one) => (!kinds || kinds.includes(one.kind)) && [one.label, one.name, one.memo, one.counterparty].join(' ').toLowerCase().includes(words) && (!since || one.time >= since) && (!until || one.time < until);
    const all = named.filter(fits);
    return { movements: windowOf(query, all), total: all.length, payments: mock.it.payments ?? [] };
  },
  'POST /wallet/send/review': (mock, { body }) => {
    const balance = 1_271_418_206n;
    const fee = body.fee === 'higher' ? 4n : 1n;
    const amount = body.max ? balance - fee : BigInt(body.amount);
    keepReserve(mock, body, balance - amount - fee);
    const known = mock.it.contacts.find((one) => one.address === body.to);
    const other = mock.it.contacts.find((one) => alike(one.address, body.to));
    const { main_address, working_address } = mock.it.status.wallet;
    return {
      review_id: 'rev1', from: body.from, from_address: body.from, to: body.to, amount: String(amount), fee: String(fee), fee_choice: body.fee ?? 'normal', memo: body.memo ?? null,
      balance_before: String(balance), balance_after: String(balance - amount - fee), standing: { trust: 'proven', height: 871_208 },
      first_payment_to_address: true, needs_password: mock.it.password !== null, to_name: known?.name ?? null, to_own: [main_address, working_address].includes(body.to),
      looks_like: other && !known ? { address: other.address, name: other.name, differs: 29 } : null,
      messages: [{ '@type': '/cosmos.bank.v1beta1.MsgSend', from_address: main_address, to_address: body.to, amount: [{ denom: 'upokt', amount: String(amount) }] }],
    };
  },
  'GET /qr': (_, { query }) => {
    if (query.get('text').length > 300) throw new Refusal(400, 'qr_long', 'a code says 1 to 300 bytes');
    return codeOf(query.get('text'));
  },
  'POST /backup': (mock, { body }) => {
    if (body.to.includes('there')) throw new Refusal(409, 'backup_exists', `${body.to} is there already`);
    mock.it.passphrase = body.passphrase;
    return { path: body.to, chain_id: 'pocket', made_at: new Date().toISOString(), files: 4, hearth: '0.1.0' };
  },
  'POST /backup/test': (mock, { body }) => {
    if (body.passphrase !== mock.it.passphrase) throw new Refusal(400, 'passphrase_wrong', 'the passphrase is wrong, or the file was changed');
    const backup = { path: body.from, chain_id: 'pocket', made_at: new Date().toISOString(), files: 4, hearth: '0.1.0' };
    return { backup, wallet: mock.it.status.wallet.main_address, is_this_wallet: true, password_opens: body.wallet_password ? body.wallet_password === 'right password' : null, conversations: 12, transactions: 34 };
  },
};
