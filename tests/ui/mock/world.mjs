// One evening on the network, as ui.md section 16 has it. Scenarios change parts of it.
import { config, firstRun } from './house.mjs';
import { contacts } from './money.mjs';
import { networkServices } from './services.mjs';

const MINUTE = 60_000;
const HEAD = 871_209;

export const ADDRESSES = {
  main: 'pokt1p4hyq70rvup7h5muqpez7ky3629su2q3lsdkpd',
  working: 'pokt1m4dva8sp3k7kyvmvhcpej94d0jqh6r5mna8806',
  supplier: 'pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa',
};
const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbk7qe';
const CID2 = 'bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxm2xa';

const CID3 = 'bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354';

const ago = (ms) => new Date(Date.now() - ms).toISOString();
const proven = (height = HEAD - 1) => ({ trust: 'proven', height });

export const words =
  'abandon ability able about above absent absorb abstract absurd abuse access accident account accuse achieve acid acoustic acquire across act action actor actress actual'.split(' ');

function head(height = HEAD) {
  return { height, time: ago(21_000), verified_height: height - 1, standing: proven(height - 1), block_time_ms: 60_000 };
}

const earning = (state, more = {}) => ({ state, why: null, detail: null, since: ago(34 * MINUTE), serving: 0, reasons: [], notes: [], ...more });

const session = (start, state, stage, answers, more = {}) => {
  const claimed = String(answers * 145_990);
  const share = String(answers * 112_448);
  return {
    id: `${start.toString(16)}9f2c71e8b04bed8a6`,
    service: 'llm-r1-14b',
    application: ADDRESSES.main,
    start_height: start,
    end_height: start + 19,
    state,
    stage,
    why: null,
    answers,
    compute_units: answers * 1000,
    amount: share,
    estimated: stage === 'estimate',
    claimed: stage === 'estimate' ? null : claimed,
    minted: stage === 'settled' ? String(Math.floor(answers * 145_990 * 0.975)) : null,
    settled: stage === 'settled' ? share : null,
    lost: null,
    claim_opens: start + 31,
    claim_closes: start + 35,
    proof_opens: start + 35,
    proof_closes: start + 52,
    claim_tx: ['estimate', 'pending'].includes(stage) ? null : 'A9F3D2E1B4C5A6978812F3E4D5C6B7A89F01E2D3C4B5A6978812F3E4D5C6B7A8',
    claim_height: ['estimate', 'pending'].includes(stage) ? null : start + 32,
    proof_tx: ['proven', 'settled'].includes(stage) ? 'B9F3D2E1B4C5A6978812F3E4D5C6B7A89F01E2D3C4B5A6978812F3E4D5C6B7A8' : null,
    proof_height: ['proven', 'settled'].includes(stage) ? start + 36 : null,
    settled_height: stage === 'settled' ? start + 52 : null,
    updated_at: ago(MINUTE),
    ...more,
  };
};

const sessions = () => [
  session(871_201, 'accumulating', 'estimate', 11),
  session(871_181, 'sealed', 'pending', 19),
  session(871_161, 'proof_included', 'proven', 17),
  session(871_141, 'settled', 'settled', 17),
  session(871_121, 'settled', 'settled', 18),
  session(871_101, 'claim_missed', 'lost', 19, {
    why: 'The computer was off while the claim was open (19:45 to 19:55).',
    lost: '2136526',
    claimed: null,
    claim_tx: null,
    claim_height: null,
  }),
];

function days() {
  const settled = [0.6, 38.1, 61.4, 44.6, 0, 70.1, 66.8, 58.2, 41, 72.5, 69.7, 52.4, 64, 56.224398];
  return settled.map((amount, at) => ({
    date: new Date(Date.now() - (13 - at) * 86_400_000).toISOString().slice(0, 10),
    settled: String(Math.round(amount * 1e6)),
    unsettled: at === 13 ? '5284688' : '0',
    answers: Math.round(amount * 9),
  }));
}

const models = () => {
  // What lies inside the file is known while it is loaded.
  const unread = { context_tokens: null, parameters: null, architecture: null, quantisation: null };
  const local = (id, title, cid, size, state, read = unread, serves = []) => ({
    id, kind: 'local', task: 'chat', title, state, unavailable: null, cid, size_bytes: size, ...read, licence: 'Apache-2.0', added_at: ago(86_400_000 * 3), verified_at: ago(86_400_000), serves,
    service: null, price_per_answer: null, suppliers: null,
  });
  const network = (service, title, price, suppliers, more = {}) => ({
    id: `pocket/${service}`, kind: 'network', task: 'chat', title, state: 'ready', unavailable: null, cid: null, size_bytes: null, ...unread,
    licence: null, added_at: null, verified_at: null, serves: [], service,
    price_per_answer: price, suppliers, ...more,
  });
  return [
    local('deepseek-r1-14b', 'DeepSeek R1 14B', CID, 8_990_000_000, 'loaded', { context_tokens: 16_384, parameters: 14_800_000_000, architecture: 'qwen2', quantisation: 'Q4_K_M' }, ['llm-r1-14b']),
    local('smollm2-135m-instruct', 'SmolLM2 135M', CID2, 98_000_000, 'ready'),
    { ...local('minilm-l6', 'MiniLM L6', CID3, 91_000_000, 'ready'), task: 'embedding' },
    network('llm-r1-70b', 'DeepSeek R1 70B', '262782', 38),
    network('llm-qwen3-235b', 'Qwen3 235B A22B', '306163', 12),
    network('llm-v32-671b', 'DeepSeek V3.2 671B', '412000', 0, {
      state: 'unavailable',
      unavailable: { code: 'no_supplier', fact: null, meaning: 'Nobody serves it in the current session.', remedy: 'Wait for the next session.' },
    }),
  ];
};

const answerText = [
  'Writing one token means reading every weight once, plus the memory of the conversation so far. Your card reads 672 GB/s and the file is 8.99 GB, so with an empty context the ceiling is',
  '$$v_{\\text{max}} = \\frac{B}{W + nk} = \\frac{672}{8.99} \\approx 74.7$$',
  '```python\ndef tokens_per_second(bandwidth_gb, weights_gb, context=0):\n    # decode speed when memory bandwidth is the limit\n    read_gb = weights_gb + context * 196_608 / 1e9\n    return 0.85 * bandwidth_gb / read_gb\n```',
  '| Context | Read per token | Expect |\n|---|---:|---:|\n| empty | 8.99 GB | 63.5 tok/s |\n| 8,192 tokens | 10.60 GB | 53.9 tok/s |',
  'So expect *about* **64 tok/s** with `Q4_K_M`. See [the notes](https://example.org/notes).',
].join('\n\n');

export const receipt = (cost = '262782', charge = 'paid') => ({
  kind: cost ? 'network' : 'local',
  cost: charge === 'unpaid' ? null : cost,
  usage: { prompt_tokens: 96, completion_tokens: 873 },
  first_token_ms: 840,
  total_ms: 28_900,
  tokens_per_second: 31.2,
  weights_cid: CID,
  network: cost
    ? {
        service: 'llm-r1-70b', supplier: ADDRESSES.supplier, supplier_url: 'https://supplier.example', application: ADDRESSES.main,
        session_id: '9f2c71e8b04bed8a6', session_start: 871_201, session_end: 871_220, verified_batches: 412, request_hash: null, failed_tries: 0,
        id: 'r1', charge,
      }
    : null,
});

export const message = (id, parent, role, content, more = {}) => ({
  id, parent_id: parent, role, content, state: 'done', created_at: ago(5 * MINUTE), model: role === 'assistant' ? 'pocket/llm-r1-70b' : null, error: null, receipt: null, attachments: [],
  thought_ms: null, ...more,
});

const bought = () =>
  ['paid', 'unknown', 'unpaid'].map((charge, at) => ({
    asked_at: ago(at * 40 * MINUTE), cost: charge === 'unpaid' ? null : '262782', status: charge === 'unpaid' ? 0 : 200, bytes: 5120, total_ms: 28_900,
    outcome: ['complete', 'cancelled', 'failed'][at], error: charge === 'unpaid' ? 'the supplier did not answer in time' : null,
    receipt: { ...receipt('262782', charge).network, id: `0197f3a0-5f2e-7c1d-9b4a-00000000000${at}` },
  }));

const conversation = (id, title, minutes, messages, more = {}) => ({
  id, title, model: 'pocket/llm-r1-70b', pinned: false, folder: null, archived: false, params: {}, answering: null, system_prompt: null, created_at: ago(minutes * MINUTE), updated_at: ago(minutes * MINUTE),
  head_id: messages.at(-1)?.id ?? null, messages, ...more,
});

function conversations() {
  const asked = 'How many tokens per second can my RTX 4070 Ti SUPER reach with a 14B model in 4 bits? Show the maths and a short Python function.';
  return [
    conversation('c1', 'How fast is a 14B model here', 4, [
      message('m1', null, 'user', asked),
      message('m2', 'm1', 'assistant', `<think>Bandwidth divided by what is read per token.</think>\n\n${answerText}`, { receipt: receipt(), thought_ms: 11_000 }),
      message('m3', 'm2', 'user', 'And if I serve four answers at once?'),
      message('m4', 'm3', 'assistant', 'Then the weights are read once for all four, and only the conversation memory is read four times.', { receipt: receipt(null), model: 'deepseek-r1-14b' }),
    ]),
    conversation('c2', 'Rename photos by date', 90, [message('n1', null, 'user', 'Rename photos'), message('n2', 'n1', 'assistant', 'Use exiftool.')]),
    conversation('c3', 'Letter to the energy supplier', 200, []),
    conversation('c4', 'Bread with less salt', 60 * 26, []),
    conversation('c5', 'Home server notes', 60 * 24 * 9, [], { pinned: true }),
    conversation('c6', 'Weekly report', 60 * 30, [message('w1', null, 'user', 'Draft the report'), message('w2', 'w1', 'assistant', 'The report, in short.')], { folder: 'Work' }),
    conversation('c7', 'Offer for the roof', 60 * 50, [], { folder: 'Work' }),
    conversation('c8', 'Old plans', 60 * 24 * 60, [message('o1', null, 'user', 'A plan with a lighthouse')], { archived: true }),
  ];
}

function endpoint(id, url, more = {}) {
  return { id, url, state: 'ok', score: 100, added: false, height: null, latency_ms: null, failed_permille: 0, lies: 0, asked: 10, rests_s: null, error: null, ...more };
}

function network(name) {
  return {
    network: name,
    denom: 'upokt',
    head: head(),
    trust: { height: 868_000, hash: '4F2A9B8C7D6E5F40312233445566778899AABBCCDDEEFF00112233445566778', source: 'network file', given_at: null },
    clock_skew_ms: null,
    program: { version: 'v0.1.35', tested_with: 'v0.1.35', is_newer: false, upgrade: { name: 'v0.1.36', height: HEAD + 5_760, seconds: 172_800, is_newer: true } },
    session: { number: 43_561, start: 871_201, end: 871_220, grace_end: 871_230, claim_opens: 871_231, claim_closes: 871_235, proof_opens: 871_235, proof_closes: 871_239 },
    endpoints: [
      endpoint('aa11aa11', 'rpc.example:443', { score: 96, height: HEAD, latency_ms: 84, asked: 4_120 }),
      endpoint('bb22bb22', 'witness-a.example:443', { score: 58, height: HEAD - 2, latency_ms: 1931, failed_permille: 40, added: true }),
      endpoint('cc33cc33', 'witness-b.example:443', { state: 'down', score: 60, rests_s: 8, error: 'connection refused' }),
      endpoint('dd44dd44', 'busy.example:443', { state: 'limited', score: 71, rests_s: 42, error: 'it takes no more questions for 60 s' }),
    ],
    offered: null,
    false_answers: 0,
    services: [
      { id: 'llm-r1-70b', name: 'DeepSeek R1 70B, Q4_K_M', owner: ADDRESSES.supplier, compute_units_per_answer: 1800, price: '262782', suppliers: 38, standing: proven() },
      { id: 'llm-r1-14b', name: 'DeepSeek R1 14B, Q4_K_M', owner: ADDRESSES.supplier, compute_units_per_answer: 1000, price: '145990', suppliers: 46, standing: proven() },
    ],
    suppliers: [
      { address: ADDRESSES.supplier, service: 'llm-r1-70b', url: 'https://supplier.example', own: false, answered: 214, failed: 1, first_token_ms: 840, avoided: null },
      { address: ADDRESSES.working, service: 'llm-r1-14b', url: 'http://127.0.0.1:4328/', own: true, answered: 11, failed: 0, first_token_ms: 310, avoided: null },
      { address: ADDRESSES.main, service: 'llm-r1-70b', url: 'https://other.example', own: false, answered: 3, failed: 5, first_token_ms: null, avoided: 'it failed of late and rests' },
    ],
    roles: [
      { role: 'supplier', address: ADDRESSES.working, stake: '60000000000', services: ['llm-r1-14b'], standing: proven(), note: null },
      { role: 'application', address: ADDRESSES.main, stake: '1240348486', services: ['llm-r1-70b'], standing: proven(), note: null },
      { role: 'gateway', address: ADDRESSES.working, stake: '1050000000', services: [], standing: proven(), note: 'on its way back, last block 871260' },
    ],
  };
}

const checks = () => [
  { level: 'ok', code: 'model', subject: 'Models', fact: 'DeepSeek R1 14B is ready', meaning: '', remedy: null },
  { level: 'ok', code: 'chain', subject: 'Chain', fact: 'proven to 871,208', meaning: '', remedy: null },
  { level: 'ok', code: 'clock', subject: 'Clock', fact: '0.3 s off, 30 s allowed', meaning: '', remedy: null },
  { level: 'ok', code: 'disk', subject: 'Disk', fact: '412 GB free', meaning: '', remedy: null },
  { level: 'warn', code: 'no_gpu', subject: 'Graphics', fact: 'none found', meaning: 'Models run on the processor, slowly.', remedy: null },
  { level: 'warn', code: 'unreachable', subject: 'Reachable', fact: 'no public address is set', meaning: 'Nobody can reach this computer, so no work arrives.', remedy: 'Open the port in the router.' },
];

const place = (kind, address, amount, more = {}) => ({ kind, address, amount, standing: proven(), free_at_height: null, ...more });

const movement = (id, kind, direction, amount, minutes, more = {}) => ({
  id, kind, direction, amount, fee: null, height: HEAD - minutes, counterparty: null, memo: null,
  // A reward is known from the miner's book with its time, the rest from the chain's transactions.
  ...(kind === 'reward' ? { time: ago(minutes * MINUTE), tx: null, session_id: sessions()[3].id, standing: { trust: 'unverified', height: HEAD - minutes } } : { time: null, tx: 'A9F3D2E1B4C5', session_id: null, standing: proven() }),
  ...more,
});

/** Everything the mock knows; a scenario gets its own copy. */
/** Thirty days of usage, and who asked. */
function usageOf() {
  const counts = (requests, cost = '0', errors = 0) => ({ requests, errors, prompt_tokens: requests * 210, completion_tokens: requests * 96, cost });
  const day = (at) => new Date(Date.now() - at * 86_400_000).toISOString().slice(0, 10);
  const days = Array.from({ length: 30 }, (_, at) => ({ date: day(29 - at), counts: counts(at % 7 === 5 ? 0 : (at * 37) % 90) }));
  const sums = [
    { asker: 'owner', key_id: null, key_name: null, model: 'smollm2-135m-instruct', counts: counts(812, '0', 3) },
    { asker: 'key', key_id: 'k1', key_name: 'editor', model: 'pocket/llm-r1-70b', counts: counts(12, '3100000') },
    { asker: 'key', key_id: 'k0', key_name: null, model: 'smollm2-135m-instruct', counts: counts(4) },
    { asker: 'local', key_id: null, key_name: null, model: '', counts: counts(1, '0', 1) },
  ];
  return { days, sums, total: sums.length };
}

export function world() {
  const name = { name: 'mainnet', chain_id: 'pocket', is_devnet: false };
  const walletStatus = {
    exists: true, main_locked: false, working_locked: false, main_address: ADDRESSES.main, working_address: ADDRESSES.working, words_checked: true,
  };
  return {
    status: {
      version: '0.1.0', started_at: ago(86_400_000), network: name, head: head(), earning: earning('serving', { serving: 3 }), wallet: walletStatus,
      setup: { running: false, done: true, steps: [] }, loaded_models: ['deepseek-r1-14b'], running_answers: 3,
    },
    earningPage: {
      earning: earning('serving', { serving: 3 }), supplier: ADDRESSES.working, listen: '0.0.0.0:4328', public_url: 'https://home.example:4328',
      services: [{ id: 'llm-r1-14b' }],
      running: [1, 2, 3].map((id) => ({ id: `r${id}`, service: 'llm-r1-14b', session_id: `9f2c71e8b04be${id}71`, started_at: ago(id * 7000) })),
      max_running: 4, answered: 500, refused: 3, unpaid_late: 0,
    },
    summary: {
      pipeline: [
        ['estimate', '1236936', 1], ['pending', '2136526', 1], ['claimed', '0', 0], ['proven', '1911629', 1], ['settled', '3935706', 2], ['spendable', '1284615888', 0], ['lost', '2136526', 1],
      ].map(([stage, amount, count]) => ({ stage, amount, sessions: count })),
      settled_today: '56224398', settled_total: '812004411', sessions_settled: 412, answers_today: 500, days: days(), share_permille: 770,
    },
    sessions: sessions(),
    relays: Array.from({ length: 17 }, (_, at) => ({
      hash: `${at}`.padStart(64, 'c'), answered_at: ago(at * 41_000), duration_ms: 4200 + at * 310, bytes_out: 5120 + at * 77, completion_tokens: 311 + at * 13,
      status: 200, in_tree: at % 5 !== 4, failure: at === 7 ? 'the reader went away' : null,
    })),
    models: models(),
    downloads: [
      { cid: `${CID}a`, title: 'Qwen3 30B A3B', state: 'fetching', have_bytes: 12_200_000_000, size_bytes: 18_600_000_000, bytes_per_second: 57_400_000, source: 'http://attic-server:4327', error: null, retry_at: null },
      { cid: `${CID}b`, title: 'Gemma 3 12B', state: 'checking', have_bytes: 6_132_000_000, size_bytes: 7_300_000_000, bytes_per_second: null, source: null, error: null, retry_at: null },
      { cid: `${CID}c`, title: 'Mistral Small 24B', state: 'paused', have_bytes: 3_100_000_000, size_bytes: 14_300_000_000, bytes_per_second: null, source: null, error: null, retry_at: null },
      { cid: `${CID}d`, title: null, state: 'failed', have_bytes: 10_600_000_000, size_bytes: 18_000_000_000, bytes_per_second: null, source: null, error: 'All copies of block 4,112 are gone for now.', retry_at: ago(-600_000) },
    ],
    catalogue: [
      { slug: 'smollm2-135m-instruct', title: 'SmolLM2 135M', task: 'chat', cid: CID2, size_bytes: 98_000_000, licence: 'Apache-2.0', fit: 'fits', fit_fact: '0.5 GB needed, 21 GB free', present: true },
      { slug: 'phi-4', title: 'Phi-4 14B', task: 'chat', cid: CID, size_bytes: 9_050_000_000, licence: 'MIT', fit: 'fits', fit_fact: '12.6 GB needed, 21 GB free', present: false },
      { slug: 'coder', title: 'Qwen2.5 Coder 32B', task: 'chat', cid: CID, size_bytes: 14_800_000_000, licence: 'Apache-2.0', fit: 'tight', fit_fact: '3.9 GB go to RAM', present: false },
      { slug: 'llama-70b', title: 'Llama 3.3 70B', task: 'chat', cid: CID, size_bytes: 42_500_000_000, licence: 'Llama 3.3', fit: 'too_big', fit_fact: 'needs 48.4 GB', present: false },
    ],
    walletPage: {
      status: walletStatus,
      accounts: [
        { id: 2, label: 'main', kind: 'words', path: "m/44'/118'/0'/0/0", address: ADDRESSES.main, purposes: ['owner', 'application'], state: 'open' },
        { id: 3, label: 'working', kind: 'words', path: "m/44'/118'/0'/0/1", address: ADDRESSES.working, purposes: ['operator', 'gateway'], state: 'open' },
      ],
      unattended: true, sealed_apart: false, has_words: true,
    },
    balances: {
      total: '63574964374', spendable: '1284615888', standing: proven(),
      places: [
        place('spendable_main', ADDRESSES.main, '1271418206'), place('spendable_working', ADDRESSES.working, '13197682'), place('supplier', ADDRESSES.working, '60000000000'),
        place('application', ADDRESSES.main, '1240348486'), place('gateway', ADDRESSES.working, '1050000000', { free_at_height: 871_260 }),
      ],
    },
    history: [
      movement('h1', 'reward', 'in', '1911629', 14), movement('h2', 'unstake', 'within', '1050000000', 25, { fee: '1' }), movement('h3', 'reward', 'in', '2024077', 40),
      movement('h4', 'sent', 'out', '1313910', 50, { fee: '1', counterparty: ADDRESSES.supplier, memo: '104882' }), movement('h5', 'fee', 'out', '0', 70, { fee: '72' }),
      movement('h6', 'received', 'in', '300000000', 60 * 27, { counterparty: ADDRESSES.supplier }),
    ],
    transactions: [
      ownTransaction(3, 'payment', 'signed', { counterparty: ADDRESSES.supplier, amount: '1313910' }),
      ownTransaction(2, 'role', 'refused', { why: 'the chain would refuse the transaction', tx: null }),
      ownTransaction(1, 'claim', 'included', { height: 871_190, shared_by: 4 }),
    ],
    roles: roles(name),
    services: networkServices(ADDRESSES.main),
    network: network(name),
    falseAnswers: [
      { at: ago(3_600_000), endpoint: 'rpc.example:443', why: 'wrong proof of bank at 871190: the value sent is not the value proven', question: 'abci_query {"path":"store/bank/key","height":"871190"}', answer: '{"jsonrpc":"2.0","result":{"response":{"value":"OTk5"}}}' },
    ],
    receipts: bought(),
    checks: checks(),
    settings: {
      network_budget: { daily_cap: '5000000', spent_today: '525564' },
      theme: 'system', language: null, announce: 'sentences', default_model: null, system_prompt: null,
      allowed_origins: ['app://obsidian.md'], configured_origins: ['http://localhost:5173'],
    },
    contacts: contacts(ADDRESSES.supplier),
    labels: {},
    config: config('mainnet'),
    firstRun: firstRun(false),
    keys: [
      {
        id: 'k1', name: 'editor', prefix: 'hk-3f9a', created_at: ago(86_400_000 * 12), last_used_at: ago(3_600_000), revoked_at: null, spent_today: '262782', spent: '3100000',
        limits: { scopes: ['local', 'network'], models: ['pocket/*'], origins: [], requests_per_minute: 60, tokens_per_minute: null, daily_budget: '1000000', total_budget: null, expires_at: null },
      },
    ],
    usage: usageOf(),
    login: { set: false },
    loginPassword: null,
    sourceConfigured: true,
    licences: [{ name: 'axum', version: '0.8.6', licence: 'MIT', repository: null }, { name: 'tokio', version: '1.48.0', licence: 'MIT', repository: null }],
    conversations: conversations(),
    files: [],
    presets: [
      { id: 'p1', name: 'Strict', system_prompt: 'Answer in one sentence.', model: null, params: { temperature: 0 } },
      { id: 'p2', name: 'Translator', system_prompt: 'Translate into German.', model: 'deepseek-r1-14b', params: {} },
    ],
    password: null,
  };
}

const reason = (code, fact, meaning, remedy = null) => ({ code, fact, meaning, remedy });

function devnet(it) {
  const name = { name: 'devnet', chain_id: 'hearth-devnet', is_devnet: true };
  it.status.network = name;
  it.network.network = name;
  it.status.earning.notes = [reason('no_gpu', 'none found', 'The demo model runs on the processor.')];
  it.config = config('devnet');
  return it;
}

export const scenarios = {
  serving: world,
  devnet: () => devnet(world()),
  setup() {
    const it = devnet(world());
    const ids = ['model', 'wallet', 'faucet', 'service', 'gateway', 'supplier', 'application', 'delegation', 'earning'];
    const facts = { model: 'SmolLM2 135M Instruct matches its content address', wallet: '24 words', faucet: '100,000 POKT' };
    const state = (at) => (at < 3 ? 'done' : at === 3 ? 'running' : 'waiting');
    it.status.setup = { running: true, done: false, steps: ids.map((id, at) => ({ id, title: id, state: state(at), fact: facts[id] ?? null, error: null })) };
    it.status.earning = earning('starting', { detail: 'loading the model' });
    it.status.wallet.exists = true;
    it.sessions = [];
    it.conversations = [];
    it.summary.pipeline = it.summary.pipeline.map((sum) => ({ ...sum, amount: '0', sessions: 0 }));
    it.summary.days = it.summary.days.map((day) => ({ ...day, settled: '0', unsettled: '0', answers: 0 }));
    Object.assign(it.summary, { settled_today: '0', settled_total: '0', sessions_settled: 0, answers_today: 0 });
    it.downloads = [];
    it.history = [];
    return it;
  },
  waiting() {
    const it = this.setup();
    const { setup } = it.status;
    Object.assign(setup, { running: false, steps: setup.steps.map((step) => ({ ...step, state: 'waiting', fact: null })) });
    it.status.earning = earning('off', { reasons: [reason('no_wallet', null, 'No wallet yet. Earnings need a place to go.', 'Create a wallet, or restore one.')] });
    return it;
  },
  off() {
    const it = world();
    it.status.earning = earning('off', {
      why: 'stopped',
      reasons: [
        reason('needs_stake', 'needs 59,500 POKT, you have 120.00', 'On mainnet the network asks every earner to set aside 59,500 POKT.'),
        reason('port_taken', '0.0.0.0:4328', 'Another program has the port for answers.', 'Stop it, or choose another miner.listen.'),
        reason('key_locked', null, 'Nothing can be signed.'),
      ],
      notes: [reason('no_funds', 'the working key holds 0.2 POKT, claims need about 1 POKT', 'The working key holds too little to pay for claims.', 'Send a little POKT to the working key.')],
    });
    it.earningPage = { ...it.earningPage, running: [], listen: null };
    it.sessions = [];
    return it;
  },
  locked() {
    const it = world();
    it.status.wallet = { ...it.status.wallet, main_locked: true, working_locked: true, words_checked: false };
    it.walletPage.status = it.status.wallet;
    it.walletPage.accounts = it.walletPage.accounts.map((account) => ({ ...account, state: 'locked' }));
    it.balances.standing = { trust: 'stale', height: HEAD - 14 };
    it.balances.places[0].standing = { trust: 'unverified', height: HEAD };
    it.status.head.standing = { trust: 'stale', height: HEAD - 14 };
    it.network.endpoints[0] = { ...it.network.endpoints[0], state: 'lied', score: 42, lies: 2, error: 'forged header at 871,190' };
    it.network.false_answers = 1;
    it.status.earning = earning('yielding', { why: 'local_chat' });
    it.password = 'right password';
    return it;
  },
  unverified() {
    const it = world();
    const problem = reason('chain_unverified', '1 endpoint(s) answer, 2 must agree on a first header', 'What is shown of the chain is an endpoint’s word.', 'Give a block that you trust.');
    it.status.head.standing = { trust: 'unverified', height: 0 };
    it.status.head.verified_height = null;
    it.status.chain_problem = problem;
    it.status.earning = earning('off', { reasons: [problem] });
    Object.assign(it.network, { head: it.status.head, problem, trust: null, endpoints: it.network.endpoints.slice(0, 1) });
    it.network.offered = { height: HEAD, hash: 'C0FFEE9B8C7D6E5F40312233445566778899AABBCCDDEEFF001122334455667' + '7' };
    return it;
  },
  empty() {
    const it = world();
    it.status.earning = earning('off', { reasons: [reason('no_wallet', null, 'Earnings need a place to go.'), reason('no_model', null, 'Nothing to serve.')] });
    it.status.wallet = { exists: false, main_locked: true, working_locked: true, main_address: null, working_address: null, words_checked: false };
    it.walletPage = { status: it.status.wallet, accounts: [], unattended: false, sealed_apart: false, has_words: false };
    it.firstRun = firstRun(true);
    it.balances = { total: '0', spendable: '0', standing: proven(), places: [] };
    it.status.head = null;
    Object.assign(it.network, { head: null, session: null, services: [], suppliers: [], roles: [], trust: null });
    for (const list of ['sessions', 'models', 'downloads', 'catalogue', 'history', 'keys', 'conversations', 'presets', 'relays', 'receipts']) it[list] = [];
    it.earningPage = { ...it.earningPage, running: [], services: [], listen: null, supplier: null };
    return it;
  },
};

/** A transaction of this node. */
export function ownTransaction(id, reason, state, more = {}) {
  const type = { payment: '/cosmos.bank.v1beta1.MsgSend', claim: '/pocket.proof.MsgCreateClaim' }[reason] ?? '/pocket.supplier.MsgStakeSupplier';
  return {
    id, reason, state, time: new Date(Date.now() - id * 60_000).toISOString(), account: ADDRESSES.main, counterparty: null, amount: '0', memo: null, why: null,
    tx: `A9F3D2E1B4C5A6978812F3E4D5C6B7A89F01E2D3C4B5A6978812F3E4D5C6B7${String(id).padStart(2, '0')}`, fee: '1', shared_by: 1, height: null, last_height: null,
    messages: [{ '@type': type }], ...more,
  };
}

function roles(name) {
  const staked = name !== 'empty';
  return {
    supplier: staked ? { operator: ADDRESSES.working, owner: ADDRESSES.main, is_own: true, stake: '60000000000', services: [{ service: 'smollm2-135m-instruct', urls: ['https://home.example'], shares: [{ address: ADDRESSES.main, percent: 100 }], from_height: null }], leaving: null } : null,
    application: staked ? { address: ADDRESSES.main, stake: '1050000000', services: ['smollm2-135m-instruct'], gateways: [ADDRESSES.working], session_limit: null, leaving: null } : null,
    gateway: staked ? { address: ADDRESSES.working, stake: '5000000000', leaving: null } : null,
    terms: { supplier_least: '59500000000', application_least: '1000000000', gateway_least: '5000000000', staking_charge: '1', service_charge: '3500000000', blocks_per_session: 20, block_time_ms: 60_000 },
    relay_url: 'https://home.example',
  };
}

/** What would be signed for an order. */
export function roleReview(mock, order) {
  const step = (key, amount, type) => ({ purpose: key, account: key === 'owner' || key === 'application' ? ADDRESSES.main : ADDRESSES.working, amount, messages: [{ '@type': type, signer: ADDRESSES[key === 'owner' || key === 'application' ? 'main' : 'working'] }] });
  const own = order.type === 'stake_supplier'
    ? [step('owner', order.stake ?? '0', '/pocket.supplier.MsgStakeSupplier'), step('operator', '1', '/pocket.supplier.MsgStakeSupplier')]
      : [step('application', order.stake ?? '0', '/pocket.application.MsgUnstakeApplication')];
  const steps = mock.it.unsigned ? [mock.it.unsigned] : own;
  const notes = [
    { code: 'unbonding', text: '', values: { blocks: '28580', seconds: '1714800' } }, { code: 'at_risk', text: '', values: { amount: '1' } },
    { code: 'from', text: '', values: { height: '871221' } }, { code: 'news', text: 'A note of a newer node.', values: {} },
  ];
  return { review_id: 'role1', steps, notes, total: steps.reduce((sum, step) => sum + BigInt(step.amount), 0n).toString(), max_fee: String(2000 * steps.length), needs_password: mock.it.password !== null };
}
