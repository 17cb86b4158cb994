// Made from ui/openapi.json by `npm run gen`. Do not edit: `npm run check` fails if this file is stale.

/** One account of the wallet. */
export type Account = {
  id: number;
  label: string;
  kind: AccountKind;
  /** Where its key lies below its words. */
  path?: string | null;
  address: string;
  purposes: Purpose[];
  state: AccountState;
};

/** Where the key of an account comes from. */
export type AccountKind = "words" | "raw" | "armored" | "watch";

/** The accounts of the wallet, with what the chain knows of each. */
export type AccountList = {
  accounts: AccountOnChain[];
};

/** An account and what the chain knows of it. */
export type AccountOnChain = {
  account: Account;
  on_chain: OnChain;
};

/** Whether an account can sign. */
export type AccountState = "locked" | "open" | "elsewhere";

/** Takes a key in. Where there is no wallet it makes one, with this password. */
export type AddAccount = {
  key: NewKey;
  label?: string | null;
  purposes?: Purpose[];
  /** Operators that are here stay operators: each serves a supplier. Without it the new one takes their place. */
  beside?: boolean;
  password: string;
};

/** An endpoint to add. */
export type AddEndpoint = {
  /** Its whole address, with its access key where it has one. */
  url: string;
};

/** Adds a file or folder of this computer. */
export type AddModel = {
  path: string;
};

/** How much of a streamed answer a screen reader says. */
export type Announce = "sentences" | "end" | "nothing";

/** The stream of an answer: `started`, any number of `delta`, then `finished` or `failed`. Whoever comes later gets `started` with the text so far. Closing the stream stops nothing. */
export type AnswerEvent = {
  question?: Message | null;
  answer: Message;
  type: "started";
} | {
  text: string;
  type: "delta";
} | {
  answer: Message;
  type: "finished";
} | {
  answer: Message;
  error: ErrorDetail;
  type: "failed";
};

/** How to answer. What is absent is as the conversation has it, and else as the model has it. */
export type AnswerParams = {
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  seed?: number | null;
  max_tokens?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  stop?: string[] | null;
};

/** A key of the OpenAI API. The key itself is shown once, when it is made. */
export type ApiKey = {
  id: string;
  name: string;
  /** Its first characters, to tell keys apart. */
  prefix: string;
  limits: KeyLimits;
  created_at: Timestamp;
  last_used_at?: Timestamp | null;
  revoked_at?: Timestamp | null;
  /** What its answers cost today (UTC), those that are being made included. */
  spent_today: Upokt;
  /** What they cost in all. */
  spent: Upokt;
};

/** All API keys, those that were revoked included. */
export type ApiKeyList = {
  keys: ApiKey[];
};

/** What changes about a key; what is absent stays. Limits are replaced as a whole. */
export type ApiKeyPatch = {
  name?: string | null;
  limits?: KeyLimits | null;
};

/** The application of this wallet. */
export type ApplicationRole = {
  address: string;
  stake: Upokt;
  services: string[];
  gateways: string[];
  session_limit?: Upokt | null;
  leaving?: Leaving | null;
};

/** Signs what was shown. */
export type ApproveSignature = {
  /** Opens the main key for this alone. */
  password?: string | null;
};

/** Who asks. */
export type AskerKind = "owner" | "local" | "key";

/** A file whose text goes with a question. */
export type Attachment = {
  id: string;
  name: string;
  /** What its content is, whatever its name says: `text/plain` or `application/pdf`. */
  media_type: string;
  /** Of the file. */
  bytes: number;
  /** Of the text that was found in it. */
  characters: number;
  /** The text was too long, and its end is left out. */
  is_cut: boolean;
};

/** Copies what cannot be fetched again into one file. */
export type BackUp = {
  /** A file of the node's computer that is not there yet. */
  to: string;
  /** Opens it; at least 10 characters. Nobody can open it without. */
  passphrase: string;
};

/** What is in a backup. */
export type BackupMade = {
  path: string;
  chain_id: string;
  made_at: Timestamp;
  files: number;
  /** The version of Hearth that made it. */
  hearth: string;
};

/** What a rehearsal opened. */
export type BackupTested = {
  backup: BackupMade;
  /** The address of the main key in it. */
  wallet?: string | null;
  /** Whether it is the wallet of this node. */
  is_this_wallet?: boolean | null;
  password_opens?: boolean | null;
  conversations: number;
  transactions: number;
};

/** Where the POKT is. */
export type Balances = {
  total: Upokt;
  spendable: Upokt;
  places: Place[];
  /** The weakest standing of all places. */
  standing: Standing;
  /** What of the places is spoken for. */
  reserved?: Reserved[];
  /** Stakes of others that are served here, which the total leaves out. */
  others?: OthersStake[];
  /** What open claims are likely to bring, which no total has before it is settled. */
  coming?: Coming[];
};

/** One answer that was asked for on the network, in a conversation or over `/v1`. */
export type BoughtAnswer = {
  asked_at: Timestamp;
  cost?: Upokt | null;
  /** The status that the supplier signed; 0 where none came. */
  status: number;
  bytes: number;
  total_ms: number;
  /** How it ended: `complete`, `cancelled` or `failed`. */
  outcome: string;
  /** Why it failed. */
  error?: string | null;
  asker?: AskerKind | null;
  key_id?: string | null;
  /** The key's name when it asked. */
  key_name?: string | null;
  receipt: NetworkReceipt;
};

/** Answers that were asked for on the network, the newest first. */
export type BoughtAnswerList = {
  answers: BoughtAnswer[];
  /** How many there are in all. */
  total: number;
};

/** A transaction that was signed elsewhere, and that a block holds. */
export type BroadcastDone = {
  account: string;
  tx: string;
  height: number;
  /** A block held it before: nothing was sent. */
  was_there?: boolean;
  /** What it does, as the chain's own JSON. */
  messages: (Record<string, unknown>)[];
  /** What it does besides. */
  notes?: RoleNote[];
};

/** What would become of a transaction that was signed elsewhere. Nothing was sent. */
export type BroadcastTrial = {
  account: string;
  tx: string;
  /** The block that holds it already; without one it would be sent, and the chain would take it now. */
  height?: number | null;
  fee: Upokt;
  /** What it does, as the chain's own JSON. */
  messages: (Record<string, unknown>)[];
  notes: RoleNote[];
};

/** A transaction that was given out to be signed elsewhere, with its signature. */
export type BroadcastTx = {
  /** As `pocketd tx sign` writes it. */
  tx: Record<string, unknown>;
};

/** The catalogue. */
export type Catalogue = {
  models: CatalogueModel[];
  /** Whether `weights.gateways` names a source, so that a pull needs none of its own. */
  source_configured: boolean;
};

/** A model of the built-in catalogue. */
export type CatalogueModel = {
  slug: string;
  title: string;
  task: ModelTask;
  cid: string;
  size_bytes: number;
  licence: string;
  fit: Fit;
  /** What it needs and what is there: `0.4 GB needed, 21 GB free`. */
  fit_fact: string;
  present: boolean;
};

/** The program that the chain runs, on an endpoint's word. */
export type ChainProgram = {
  /** Such as `v0.1.35`. */
  version: string;
  /** The newest version that this release was tested with. */
  tested_with: string;
  /** It is newer than that: messages, events or rules may have changed. */
  is_newer: boolean;
  upgrade?: PlannedUpgrade | null;
};

/** Changes an account: what is left out stays. */
export type ChangeAccount = {
  label?: string | null;
  /** These and no others; whoever served one of them serves it no more. Needs the password. */
  purposes?: Purpose[] | null;
  /** Operators that are here stay operators: each serves a supplier. */
  beside?: boolean;
  password?: string | null;
};

/** Sets another password. */
export type ChangePassword = {
  password: string;
  new_password: string;
};

/** Something is to be read again. */
export type Changed = {
  /** The height it was seen at, where a block caused it. */
  height?: number | null;
};

/** Whether a supplier is paid for an answer. */
export type Charge = "paid" | "unpaid" | "unknown";

/** One check of the doctor. */
export type Check = {
  level: Level;
  /** A stable word, for the reasons of the interface design the same code. */
  code: string;
  subject: string;
  fact: string;
  /** Empty where the check passed. */
  meaning: string;
  remedy?: string | null;
};

/** The recovery words as the owner typed them from paper, to compare them with the wallet's. */
export type CheckWords = {
  words: string;
};

/** Has a key of the former network sign a claim. */
export type ClaimMorse = {
  key: MorseKeyFile;
  /** Who gets it: label, address or purpose of an account here; without one the owner. */
  to?: string | null;
  claim: MorseClaimAs;
};

/** The states of a claim. */
export type ClaimState = "accumulating" | "sealed" | "claim_sent" | "claim_included" | "proof_not_required" | "proof_due" | "proof_sent" | "proof_included" | "settled" | "skipped" | "claim_missed" | "proof_missed" | "proof_invalid" | "expired";

/** Open claims of a supplier of this wallet. */
export type Coming = {
  /** Its operator. */
  supplier: string;
  /** What comes to this wallet of it: after the network's split and the revenue shares, as they were when the sessions began, and no more than the application is sure to pay. An estimate. */
  amount: Upokt;
  /** What is claimed, of which others have their parts. */
  claimed: Upokt;
  sessions: number;
};

/** What this computer has. A figure that nobody knows is zero or empty. */
export type Computer = {
  cpu: string;
  threads: number;
  memory_bytes: number;
  available_bytes: number;
  /** Names of graphics processors. */
  graphics: string[];
  /** Free where models are kept. */
  disk_free_bytes: number;
};

/** A setting that is to have another value. */
export type ConfigChange = {
  key: string;
  /** As people type it; `null` takes it out of the file. */
  value?: string | null;
};

/** What a setting takes. */
export type ConfigKind = "text" | "path" | "url" | "address" | "number" | "yes_no" | "choice" | "list" | "names" | "tables";

/** All settings of the configuration. */
export type ConfigPage = {
  /** The file that changes are written to. */
  file: string;
  settings: ConfigSetting[];
  /** Some of them wait for the next start. */
  needs_restart: boolean;
  /** Whether this program can start itself anew when it is asked to; else a person does. */
  can_restart: boolean;
  /** Why the file as it is cannot be read, if so: somebody wrote it since the start. */
  problem?: string | null;
};

/** Settings to change, all together or none. */
export type ConfigPatch = {
  changes: ConfigChange[];
};

/** One setting of the configuration. */
export type ConfigSetting = {
  /** `api.listen`. */
  key: string;
  kind: ConfigKind;
  /** Where `kind` is a choice. */
  choices: string[];
  /** What counts, or will with the next start; empty where nothing is set. Passwords in addresses are left out. */
  value: string;
  /** What counts until the next start, where that is something else. */
  in_force?: string | null;
  /** `built-in`, the file, or the variable or flag it comes from. */
  origin: string;
  /** Environment or flag set it, so the file cannot. */
  locked: boolean;
  /** Whether a change counts at once; else with the next start. */
  at_once: boolean;
};

/** Has a program's file written. */
export type ConnectOrder = {
  model: string;
  /** Of the preview. */
  seen: string;
  limits?: KeyLimits | null;
};

/** What would be written into a program's file. */
export type ConnectPreview = {
  path: string;
  lines: DiffLine[];
  /** Stands for the file as it was read, to be sent back: what is written is what was shown. */
  seen: string;
};

/** A program that was connected. Without `Debug`: it may have a key. */
export type Connected = {
  connected: ConnectedProgram;
  /** The API key, where the program keeps it elsewhere than in its file: shown once. */
  secret?: string | null;
};

/** What was written for a program. */
export type ConnectedProgram = {
  path: string;
  model: string;
  /** The node's address in it. */
  root: string;
  /** The API key's id. */
  key_id: string;
  at: Timestamp;
};

/** Somebody whom the owner pays. */
export type Contact = {
  address: string;
  /** No two have the same, however it is written. */
  name: string;
  note?: string | null;
  created_at: Timestamp;
};

/** The whole address book, by name. What is exported is read again by the import. */
export type ContactList = {
  contacts: Contact[];
};

/** A question that is not asked yet, of which one wants to know how much of the context it takes. */
export type ContextDraft = {
  /** In place of the conversation's model. */
  model?: string | null;
  /** In place of the conversation's system prompt. */
  system_prompt?: string | null;
  /** What is typed so far. */
  draft?: string | null;
  /** The files that are to go with it. */
  attachments?: string[];
};

/** How much of a model's context the next question takes. */
export type ContextUse = {
  tokens: number;
  /** How many tokens the model's context has, where that is known. */
  limit?: number | null;
  /** Counted by the model's own template and tokenizer; else it is an estimate. */
  is_exact: boolean;
};

/** A conversation with all its messages. They form a tree by `parent_id`; siblings are branches. */
export type Conversation = {
  id: string;
  title: string;
  model?: string | null;
  pinned: boolean;
  system_prompt?: string | null;
  folder?: string | null;
  archived: boolean;
  /** How answers are made unless one says otherwise. */
  params: AnswerParams;
  /** The answer that is being written. */
  answering?: string | null;
  created_at: Timestamp;
  updated_at: Timestamp;
  /** The last message of the branch that is shown. */
  head_id?: string | null;
  /** In the order in which they were written. */
  messages: Message[];
};

/** Conversations: pinned first, then the newest. */
export type ConversationList = {
  conversations: ConversationSummary[];
  /** All folders by name, whatever was searched for. */
  folders: Folder[];
};

/** What to change about a conversation; what is absent stays, and an empty text clears. */
export type ConversationPatch = {
  title?: string | null;
  model?: string | null;
  pinned?: boolean | null;
  system_prompt?: string | null;
  /** The last message of the branch that is shown. */
  head_id?: string | null;
  folder?: string | null;
  archived?: boolean | null;
  params?: AnswerParams | null;
};

/** A conversation in the list. */
export type ConversationSummary = {
  id: string;
  title: string;
  model?: string | null;
  pinned: boolean;
  /** The folder that it lies in. A folder is a plain name, and is there as long as a conversation lies in it. */
  folder?: string | null;
  archived: boolean;
  created_at: Timestamp;
  updated_at: Timestamp;
  messages: number;
  /** Text around the first hit, when a search was asked for. */
  snippet?: string | null;
  /** The message of the first hit; `None` where only the title has it. */
  hit_id?: string | null;
  /** The answer that is being written. */
  answering?: string | null;
};

/** Makes a wallet. */
export type CreateWallet = {
  password: string;
};

/** A new API key with its secret, which is not kept. */
export type CreatedApiKey = {
  key: ApiKey;
  secret: string;
};

/** A new wallet. The words are said once. */
export type CreatedWallet = {
  words: string[];
  wallet: WalletPage;
};

/** Something is gone. */
export type Deleted = {
  id: string;
};

/** What a line is. */
export type DiffKind = "same" | "added" | "removed" | "gap";

/** One line of a comparison. */
export type DiffLine = {
  kind: DiffKind;
  text: string;
};

/** Which way money went, seen from this wallet. */
export type Direction = "in" | "out" | "within";

/** A program that is not connected any more. */
export type Disconnected = {
  path: string;
  /** Settings that were changed since, and stay as they are. */
  kept: string[];
  /** The file is gone: there was none before. */
  removed: boolean;
};

/** Looks along the usual paths of words for accounts that the chain knows. */
export type Discover = {
  words: string;
  passphrase?: string | null;
  kind: "words";
} | {
  like?: number | null;
  password: string;
  kind: "here";
};

/** All checks of the doctor, fails last. */
export type Doctor = {
  checks: Check[];
};

/** One download. */
export type Download = {
  cid: string;
  title?: string | null;
  state: DownloadState;
  have_bytes: number;
  /** `None` until the manifest is there. */
  size_bytes?: number | null;
  bytes_per_second?: number | null;
  source?: string | null;
  /** Why it failed. */
  error?: string | null;
  reason?: ErrorDetail | null;
  retry_at?: Timestamp | null;
};

/** All downloads. */
export type DownloadList = {
  downloads: Download[];
};

/** The states of a download. */
export type DownloadState = "wanted" | "locating" | "fetching" | "checking" | "ready" | "paused" | "failed" | "evicting";

/** One answered request of a session. */
export type EarnedRelay = {
  /** Hash of the relay, in hex. */
  hash: string;
  answered_at: Timestamp;
  duration_ms?: number | null;
  bytes_out: number;
  completion_tokens?: number | null;
  status: number;
  /** It met the difficulty, so it lies in the tree. */
  in_tree: boolean;
  /** Why it failed or is not paid. */
  failure?: string | null;
};

/** The answers of one session, the newest first. */
export type EarnedRelayList = {
  relays: EarnedRelay[];
  total: number;
};

/** One session of one application with this supplier, and what became of it. */
export type EarnedSession = {
  id: string;
  service: string;
  /** The operator of the supplier that served. Two of this node may serve in one session. */
  supplier?: string;
  /** Its owner when the session began. */
  owner?: string;
  application: string;
  start_height: number;
  end_height: number;
  state: ClaimState;
  stage: MoneyStage;
  /** Why it ended badly, or was not worth claiming. */
  why?: string | null;
  /** Answers in the evidence. */
  answers: number;
  compute_units: number;
  /** Your share: settled where it is known, else what the arithmetic gives. */
  amount: Upokt;
  /** `amount` is an estimate. */
  estimated: boolean;
  claimed?: Upokt | null;
  minted?: Upokt | null;
  settled?: Upokt | null;
  lost?: Upokt | null;
  slash?: Slash | null;
  claim_opens?: number | null;
  claim_closes?: number | null;
  proof_opens?: number | null;
  proof_closes?: number | null;
  claim_tx?: string | null;
  claim_height?: number | null;
  proof_tx?: string | null;
  proof_height?: number | null;
  settled_height?: number | null;
  updated_at: Timestamp;
};

/** Sessions, the newest first. */
export type EarnedSessionList = {
  sessions: EarnedSession[];
  /** How many there are in all. */
  total: number;
};

/** The state of earning, a view of the core's machine. */
export type Earning = {
  state: EarningState;
  /** Why it is in this state: a code (`stopped`, `key_locked`, `local_chat` …). */
  why?: string | null;
  /** The same for people: `loading the model`, `waiting for work`. */
  detail?: string | null;
  since: Timestamp;
  /** Answers being served now. */
  serving: number;
  /** What stands in the way of earning. Empty: it can start. */
  reasons: Reason[];
  /** What is worth knowing and does not stop all of it. */
  notes: Reason[];
  /** Each supplier of this node for itself, the usual one first. What stands in the way of one stops no other. */
  suppliers?: SupplierEarning[];
};

/** One day of the chart. */
export type EarningDay = {
  /** `2026-11-21`, in UTC. */
  date: string;
  settled: Upokt;
  /** Claimed but not settled, drawn as an estimate. */
  unsettled: Upokt;
  answers: number;
};

/** What the Earn page shows beside money. */
export type EarningPage = {
  earning: Earning;
  /** The usual supplier's address on chain. */
  supplier?: string | null;
  /** Where the relay server listens; `None` while earning is off. */
  listen?: string | null;
  /** The URL that is staked. */
  public_url?: string | null;
  services: ServedService[];
  running: RunningAnswer[];
  /** The most answers served at once. */
  max_running: number;
  /** Answers since the node started. */
  answered: number;
  /** Requests refused since the node started. */
  refused: number;
  /** Answers that were given but came too late to be paid. */
  unpaid_late: number;
};

/** The states of earning. */
export type EarningState = "off" | "starting" | "idle" | "serving" | "yielding" | "draining";

/** Sums for the head of the Earn page. */
export type EarningSummary = {
  /** All six stages, then `lost`. */
  pipeline: StageSum[];
  settled_today: Upokt;
  settled_total: Upokt;
  sessions_settled: number;
  answers_today: number;
  /** The last 14 days, the oldest first. */
  days: EarningDay[];
  /** The share of the minted amount that is yours, in tenths of a percent. `None` until a session settled. */
  share_permille?: number | null;
  /** What was settled for each supplier and owner. That of another owner is in no sum above. */
  suppliers?: SupplierSum[];
};

/** One endpoint of the chain. Its whole address may hold an access key and is never shown. */
export type Endpoint = {
  /** What tells it from others of the same host. */
  id?: string;
  /** Host and port. */
  url: string;
  state: EndpointState;
  /** How gladly it is asked, of 100. */
  score?: number;
  /** Whether it was added here; else it is configured. */
  added?: boolean;
  height?: number | null;
  latency_ms?: number | null;
  /** Of a thousand of the last questions, how many failed. */
  failed_permille?: number;
  /** False answers that are known of it. */
  lies?: number;
  /** What it was asked since the program started. */
  asked?: number;
  /** How long it is left alone from now. */
  rests_s?: number | null;
  error?: string | null;
};

/** How an endpoint does. */
export type EndpointState = "ok" | "stale" | "down" | "lied" | "limited" | "other_chain" | "unknown";

/** What an endpoint showed when it was tried. */
export type EndpointTrial = {
  id: string;
  url: string;
  latency_ms?: number | null;
  height?: number | null;
  /** The chain that it serves. */
  chain: string;
  /** Whether it has the newest verified block; `None` where that cannot be said. */
  agrees?: boolean | null;
  /** Whether it gives proofs of the state. */
  proves: boolean;
  error?: string | null;
};

/** What all that were tried showed. */
export type EndpointTrialList = {
  trials: EndpointTrial[];
};

/** Every error of the control API. */
export type ErrorBody = {
  error: ErrorDetail;
};

/** What went wrong, in the one shape of all surfaces: what happened, what it means, what to do, and the technical text. The page says the first three in the person's language by `code` and `values`. */
export type ErrorDetail = {
  /** A stable word for one fact, that programs may branch on. */
  code: string;
  /** What happened. */
  message: string;
  /** What it means. */
  meaning?: string | null;
  /** What to do. */
  remedy?: string | null;
  /** What the system or another program said, for whoever looks for the cause. */
  details?: string | null;
  /** The figures in `message`, by name: `{"seconds": "60"}`. */
  values?: Record<string, unknown>;
};

/** Something changed. The first event of every stream is `status`; a reader that fell behind gets `status` again and should read its page anew. */
export type Event = (Status) & ({
  type: "status";
}) | (Head) & ({
  type: "head";
}) | (Earning) & ({
  type: "earning";
}) | (RelayServed) & ({
  type: "relay";
}) | (EarnedSession) & ({
  type: "claim";
}) | (Download) & ({
  type: "download";
}) | (Setup) & ({
  type: "setup";
}) | (WalletStatus) & ({
  type: "wallet";
}) | (Changed) & ({
  type: "balances";
}) | (Changed) & ({
  type: "signatures";
}) | (Changed) & ({
  type: "models";
}) | (ConversationSummary) & ({
  type: "conversation";
}) | (Deleted) & ({
  type: "conversation_deleted";
});

/** Exports the key of an account. */
export type ExportAccount = {
  form: ExportForm;
  /** Seals an armored key. */
  passphrase?: string | null;
  /** The wallet's own. */
  password: string;
};

/** How a key is exported. */
export type ExportForm = "words" | "hex" | "armored";

/** The key of an account, for its owner. */
export type ExportedAccount = {
  account: Account;
  /** Its recovery words. */
  words?: string[] | null;
  /** The passphrase that belongs to the words, where they have one. */
  passphrase?: string | null;
  /** The key itself, as it was asked for. */
  key?: string | null;
};

/** A false answer of an endpoint. */
export type FalseAnswer = {
  at: Timestamp;
  /** Host and port. */
  endpoint: string;
  /** What is false about it. */
  why: string;
  /** The question; empty where no single answer shows it. */
  question: string;
  /** The answer as it came, cut where it is long. */
  answer: string;
};

/** False answers, the newest first. */
export type FalseAnswerList = {
  answers: FalseAnswer[];
};

/** Asks devnet's faucet for play money. */
export type FaucetOrder = {
  /** The account that gets it: its address, label, number or purpose. */
  to: string;
  amount: Upokt;
};

/** What is paid for a place in a block. */
export type FeeChoice = "normal" | "higher";

/** What a person wants of the program. */
export type FirstRole = "chat" | "earn" | "devnet";

/** How far the first run is. */
export type FirstRun = {
  /** Whether the page begins with it: it was begun and not ended, or nothing is set up yet. */
  wanted: boolean;
  /** All steps in order. */
  steps: FirstStep[];
  role?: FirstRole | null;
  computer: Computer;
};

/** What is to be noted; what is absent stays. */
export type FirstRunPatch = {
  step?: FirstStep | null;
  role?: FirstRole | null;
  /** `true` ends it; `false` begins it anew. */
  ended?: boolean | null;
};

/** A step with its state. */
export type FirstStep = {
  id: FirstStepId;
  state: FirstStepState;
};

/** A step, in the order in which they are shown. */
export type FirstStepId = "computer" | "model" | "wallet" | "role" | "ready";

/** What a person did with a step. */
export type FirstStepState = "open" | "done" | "skipped";

/** How a model of the catalogue fits this computer. */
export type Fit = "fits" | "tight" | "too_big";

/** A folder of conversations. */
export type Folder = {
  name: string;
  /** How many lie in it; archived ones are not counted. */
  conversations: number;
};

/** A key along one of the usual paths. */
export type FoundAccount = {
  path: string;
  address: string;
  /** The label of the account of this wallet that it is already. */
  label?: string | null;
  on_chain: OnChain;
};

/** The keys along the usual paths. */
export type FoundAccounts = {
  accounts: FoundAccount[];
  /** How many paths were looked at. */
  looked_at: number;
};

/** The gateway of this wallet. */
export type GatewayRole = {
  address: string;
  stake: Upokt;
  leaving?: Leaving | null;
};

/** The block that a person trusts. */
export type GiveAnchor = {
  height: number;
  /** Block hash, hex. */
  hash: string;
  /** Whether it counts also where it contradicts what was verified, which is forgotten then. */
  instead?: boolean;
};

/** The newest block. */
export type Head = {
  height: number;
  time: Timestamp;
  /** The newest height whose header the light client verified. */
  verified_height?: number | null;
  standing: Standing;
  /** Mean time between the last blocks. */
  block_time_ms?: number | null;
};

/** Movements, the newest first. */
export type History = {
  movements: Movement[];
  total: number;
  /** Payments of this wallet that are in no block: on their way, failed, or of unknown end. The newest first. */
  payments?: OpenPayment[];
  /** Why it is not whole, where it is not: what the chain knows beyond the wallet's own notes is missing. */
  missing?: ErrorDetail[];
};

/** Contacts of another address book: all of them or none. */
export type ImportContacts = {
  contacts: SaveContact[];
};

/** Brings back a wallet from its recovery words. */
export type ImportWallet = {
  words: string;
  /** The passphrase of BIP-39, where the words have one. */
  passphrase?: string | null;
  password: string;
};

/** What came in of a file with conversations. */
export type Imported = {
  conversations: number;
  messages: number;
  /** What is left out, and why: the first hundred. */
  skipped: SkippedChat[];
};

/** What a key may do. What is absent is not limited. */
export type KeyLimits = {
  scopes?: Scope[];
  /** Names of models; `*` stands for any letters. None: every model. */
  models?: string[];
  /** Origins of the pages that may use it, `http://localhost:5173`; programs that are no browser pass. None: any page, but browsers show the answer only to the origins of the settings. */
  origins?: string[];
  requests_per_minute?: number | null;
  /** Of prompts and answers together. */
  tokens_per_minute?: number | null;
  daily_budget?: Upokt | null;
  total_budget?: Upokt | null;
  expires_at?: Timestamp | null;
};

/** What the owner calls a movement; an empty text takes it back. */
export type LabelMovement = {
  /** The movement's id. */
  movement: string;
  label: string;
};

/** A role that was given up. */
export type Leaving = {
  /** The last block in which it counts. */
  until_height: number;
  /** The block after which the stake comes back. */
  free_height: number;
  /** How long that takes, where blocks come regularly. */
  seconds?: number | null;
};

/** How bad it is. */
export type Level = "ok" | "warn" | "fail";

/** A part of other people that Hearth is built from. */
export type Licence = {
  name: string;
  version: string;
  /** SPDX expression. */
  licence: string;
  repository?: string | null;
};

/** All of them. */
export type LicenceList = {
  licences: Licence[];
};

/** The password is set. */
export type LoginSet = {
  /** The key of the caller's new sign-in; none for who showed the token. */
  page_key?: string | null;
};

/** Whether a login is set. */
export type LoginState = {
  set: boolean;
};

/** An address that begins and ends like another one, as attackers make them: whoever compares the ends alone takes it for that one. */
export type LooksLike = {
  /** The known address. */
  address: string;
  /** Its name in the address book. */
  name?: string | null;
  /** In how many letters both differ. */
  differs: number;
};

/** One message. */
export type Message = {
  id: string;
  parent_id?: string | null;
  role: MessageRole;
  content: string;
  state: MessageState;
  created_at: Timestamp;
  /** The model that answered. */
  model?: string | null;
  error?: ErrorDetail | null;
  receipt?: Receipt | null;
  /** How long the model reasoned before it answered. */
  thought_ms?: number | null;
  /** Files that were sent with it. */
  attachments: Attachment[];
};

/** Who wrote a message. */
export type MessageRole = "user" | "assistant";

/** Where a message stands. */
export type MessageState = "streaming" | "done" | "stopped" | "cut" | "failed";

/** A model that can be chosen, or could be if the reason went away. */
export type Model = {
  /** The name in `/v1`: the slug, `<backend>/<model>` or `pocket/<service>`. */
  id: string;
  kind: ModelKind;
  task: ModelTask;
  title: string;
  state: ModelState;
  unavailable?: Reason | null;
  /** The CID of the manifest. Only local models have one. */
  cid?: string | null;
  size_bytes?: number | null;
  context_tokens?: number | null;
  parameters?: number | null;
  architecture?: string | null;
  quantisation?: string | null;
  licence?: string | null;
  added_at?: Timestamp | null;
  verified_at?: Timestamp | null;
  /** The services that this node serves with it; a model in use is not deleted. */
  serves: string[];
  /** The service on chain, for a network model. */
  service?: string | null;
  price_per_answer?: Upokt | null;
  suppliers?: number | null;
  /** An own application signs for itself: suppliers can tell that all of its questions are of one owner. */
  signs_directly?: boolean;
};

/** Where a model runs. */
export type ModelKind = "local" | "server" | "network";

/** One list of all models: local first, then the network's. */
export type ModelList = {
  models: Model[];
};

/** Where a model stands. */
export type ModelState = "ready" | "loading" | "loaded" | "checking" | "damaged" | "unavailable";

/** What a model is for. */
export type ModelTask = "chat" | "embedding" | "rerank";

/** The six stages of money, in the order in which they are always drawn. */
export type MoneyStage = "estimate" | "pending" | "claimed" | "proven" | "settled" | "spendable" | "lost";

/** An account of the former network, as this network knows it. */
export type MorseAccount = {
  /** 40 upper-case hex digits. */
  address: string;
  state: MorseState;
  /** What was not staked. */
  balance: Upokt;
  stake: Upokt;
  staked_as?: RoleName | null;
  /** Who owns the node, where that is another account there. */
  owner?: string | null;
  claimed_height?: number | null;
  /** The account of this network that it was claimed for. */
  claimed_by?: string | null;
  /** Whether the network takes claims now. */
  is_enabled: boolean;
  /** Whether it takes no fee for them. */
  is_free: boolean;
  standing: Standing;
};

/** As what an account of the former network is claimed. */
export type MorseClaimAs = {
  type: "account";
} | {
  service: string;
  type: "application";
} | {
  /** The node's address there, where its owner's key claims it. */
  node?: string | null;
  /** Label or address of the operator, where there are several. */
  operator?: string | null;
  services: ServiceOffer[];
  type: "supplier";
};

/** A key of the former network. It is used for this one call and kept nowhere. */
export type MorseKeyFile = {
  /** The JSON that `pocket accounts export` wrote, or 128 hex digits. */
  key: string;
  /** Opens the JSON; many have an empty one. */
  passphrase?: string;
};

/** What became of an account of the former network. */
export type MorseState = "unknown" | "claimable" | "claimed";

/** One movement of money. */
export type Movement = {
  id: string;
  kind: MovementKind;
  direction: Direction;
  amount: Upokt;
  fee?: Upokt | null;
  charge?: Upokt | null;
  /** By how much what `account` holds changed, fees included: over all movements of a span these add up to the change of its balance, and of all of this wallet's. */
  balance_change?: UpoktChange;
  /** The same of its stakes. */
  stake_change?: UpoktChange;
  height: number;
  time?: Timestamp | null;
  /** The account of this wallet whose money it is. */
  account?: string | null;
  counterparty?: string | null;
  memo?: string | null;
  tx?: string | null;
  session_id?: string | null;
  /** The operator of the supplier that it is about. */
  supplier?: string | null;
  service?: string | null;
  /** The types of what the transaction did, each once; of messages that were carried out for somebody their own. Empty where it failed, where there is none, or where an earlier Hearth did not keep them. */
  messages?: string[];
  standing: Standing;
  /** What the owner calls it. */
  label?: string | null;
  /** The counterparty's name in the address book. */
  name?: string | null;
};

/** What kind of movement. */
export type MovementKind = "sent" | "received" | "reward" | "stake" | "unstake" | "returned" | "slashed" | "spent" | "faucet" | "morse" | "fee";

/** An endpoint that is meant: by its id, or by host and port. */
export type NameEndpoint = {
  endpoint: string;
};

/** What answers of the network may cost. */
export type NetworkBudget = {
  /** In a day (UTC). */
  daily_cap: Upokt;
  /** What they cost today, answers whose cost is unknown included. */
  spent_today: Upokt;
};

/** Which chain this node is on. */
export type NetworkName = {
  /** `mainnet`, `beta`, `devnet` or the name in the network file. */
  name: string;
  chain_id: string;
  /** Play money: nothing here has value. */
  is_devnet: boolean;
};

/** The chain, its proof, the session and the endpoints. */
export type NetworkPage = {
  network: NetworkName;
  denom: string;
  head?: Head | null;
  problem?: Reason | null;
  trust?: TrustAnchor | null;
  /** This computer's clock minus the chain's; only large values mean anything. */
  clock_skew_ms?: number | null;
  session?: SessionStrip | null;
  program?: ChainProgram | null;
  /** In the order in which they are asked now, those that are not asked last. */
  endpoints: Endpoint[];
  offered?: OfferedBlock | null;
  /** False answers that are kept as evidence; `GET /network/evidence` has them. */
  false_answers?: number;
  services: NetworkService[];
  /** Suppliers of this node's application in the current session. */
  suppliers: SessionSupplier[];
  /** What this node has staked. */
  roles: StakedRole[];
};

/** The part of a receipt that only network answers have. */
export type NetworkReceipt = {
  /** Its id under `/receipts`; receipts of older versions have none. */
  id?: string | null;
  /** Whether the supplier is paid. */
  charge?: Charge;
  service: string;
  supplier: string;
  supplier_url?: string | null;
  application: string;
  session_id: string;
  session_start: number;
  session_end: number;
  /** Batches whose signature was verified before a byte was passed on. */
  verified_batches: number;
  /** Hash of the request, in hex. */
  request_hash?: string | null;
  /** Suppliers that were tried before and failed. */
  failed_tries: number;
};

/** A service of the network. */
export type NetworkService = {
  id: string;
  name: string;
  owner: string;
  compute_units_per_answer: number;
  price?: Upokt | null;
  suppliers?: number | null;
  standing: Standing;
};

/** Asks for an answer. With `content` it follows a new message below `parent_id` (absent: below the head; edit and resend: the parent of the edited message); without, it is another answer to the message `parent_id`. */
export type NewAnswer = {
  parent_id?: string | null;
  /** With `content`: it is the first message, not one below the head. */
  at_root?: boolean;
  content?: string | null;
  model?: string | null;
  params?: AnswerParams | null;
  /** With `content`: the ids of files that are sent with it. */
  attachments?: string[];
};

/** Asks for a new API key. */
export type NewApiKey = {
  name: string;
  limits?: KeyLimits;
};

/** A new conversation. */
export type NewConversation = {
  title?: string | null;
  model?: string | null;
  system_prompt?: string | null;
  folder?: string | null;
  params?: AnswerParams | null;
};

/** Where a new account's key comes from. */
export type NewKey = {
  like?: number | null;
  path?: string | null;
  kind: "next";
} | {
  words: string;
  /** The passphrase of BIP-39. */
  passphrase?: string | null;
  /** Without one `m/44'/118'/0'/0/0`. */
  path?: string | null;
  kind: "words";
} | {
  hex: string;
  kind: "hex";
} | {
  text: string;
  passphrase: string;
  kind: "armored";
};

/** A new preset. */
export type NewPreset = {
  name: string;
  system_prompt?: string | null;
  model?: string | null;
  params?: AnswerParams | null;
};

/** A block on an endpoint's word. */
export type OfferedBlock = {
  height: number;
  /** Block hash in upper-case hex. */
  hash: string;
};

/** What the chain knows of an address. */
export type OnChain = {
  spendable: Upokt;
  supplier?: OnChainSupplier | null;
  gateway?: Upokt | null;
  application?: Upokt | null;
};

/** The supplier that a key operates. */
export type OnChainSupplier = {
  owner: string;
  stake: Upokt;
  services: string[];
};

/** A payment that this wallet signed and that is in no block. */
export type OpenPayment = {
  tx: string;
  state: PaymentState;
  to?: string | null;
  amount: Upokt;
  fee: Upokt;
  memo?: string | null;
  time: Timestamp;
  /** Why it failed, or why nobody knows. */
  why?: string | null;
};

/** An operator, and its supplier. */
export type OperatorRole = {
  address: string;
  /** Empty where it is no account of this wallet. */
  label: string;
  /** Its supplier is served elsewhere: the key of the operator is not here. */
  is_elsewhere?: boolean;
  supplier?: SupplierRole | null;
};

/** A stake that the working key serves and that belongs to another wallet. It is no money of this one. */
export type OthersStake = {
  operator: string;
  owner: string;
  amount: Upokt;
  standing: Standing;
};

/** Something that this node wants of the chain, and what became of it. */
export type OwnTransaction = {
  id: number;
  /** When it was wanted. */
  time: Timestamp;
  reason: TransactionReason;
  /** Who signs it. */
  account: string;
  /** Who is paid. */
  counterparty?: string | null;
  /** What is paid or staked. */
  amount: Upokt;
  memo?: string | null;
  state: TransactionState;
  /** What stands in its way, or why it ended badly. */
  why?: string | null;
  /** Its newest transaction, once it is signed. */
  tx?: string | null;
  fee?: Upokt | null;
  /** How many share that transaction and its fee. */
  shared_by: number;
  /** The block that holds it. */
  height?: number | null;
  /** The last block that may hold it. */
  last_height?: number | null;
  /** What is signed, as the chain's own JSON. Empty where an earlier Hearth did not keep it. */
  messages: (Record<string, unknown>)[];
};

/** What is known of a payment that is in no block. */
export type PaymentState = "on_its_way" | "failed" | "unknown";

/** A place of money; all that are this wallet's add up to the total. */
export type Place = {
  kind: PlaceKind;
  address: string;
  /** Whose it is, where it is not this wallet's: it counts in no total. */
  owner?: string | null;
  amount: Upokt;
  standing: Standing;
  /** The height from which it is spendable, where it is on its way back. */
  free_at_height?: number | null;
};

/** What kind of place money lies in. */
export type PlaceKind = "spendable_main" | "spendable_working" | "spendable" | "supplier" | "application" | "gateway";

/** An upgrade of the chain. */
export type PlannedUpgrade = {
  name: string;
  /** The block at which the chain waits for it. */
  height: number;
  /** About how many seconds until then. */
  seconds?: number | null;
  /** It brings what this release was not tested with. */
  is_newer: boolean;
};

/** Settings to begin a conversation with. A conversation copies them: a later change of the preset changes no conversation. */
export type Preset = {
  id: string;
  name: string;
  system_prompt?: string | null;
  model?: string | null;
  params: AnswerParams;
};

/** All presets, by name. */
export type PresetList = {
  presets: Preset[];
};

/** What to change about a preset; what is absent stays, and an empty text clears. */
export type PresetPatch = {
  name?: string | null;
  system_prompt?: string | null;
  model?: string | null;
  params?: AnswerParams | null;
};

/** A program that asks models. */
export type Program = {
  id: string;
  title: string;
  /** What it is, in a few words. */
  what: string;
  /** Whether it is on the node's computer; `None` where nobody can know. */
  found?: boolean | null;
  /** The file with its settings, where it has one that is written. */
  path?: string | null;
  /** Whether the key lies in that file; else the person gives it to the program. */
  keeps_key_in_file: boolean;
  snippets: Snippet[];
  connected?: ConnectedProgram | null;
};

/** The programs that can be connected. */
export type ProgramList = {
  programs: Program[];
  /** The model that the lines name; `None` where there is none to ask. */
  model?: string | null;
  /** What stands in them for the API key. */
  key_placeholder: string;
  /** Whether the caller may have files written: from this computer, and where the node runs as a person. */
  may_write: boolean;
};

/** Fetches a model by the CID of its manifest. */
export type PullModel = {
  cid: string;
  /** A trustless gateway to fetch from; without one those of the configuration. */
  from?: string | null;
};

/** What a key of the wallet is used for. */
export type Purpose = "owner" | "operator" | "gateway" | "application";

/** A code to scan, row by row: `1` is dark. */
export type QrCode = {
  size: number;
  rows: string[];
};

/** One reason why something is not possible, or a note beside it. `code` is one of the codes of the interface design. */
export type Reason = {
  code: string;
  /** The figures behind it, in a short text: `12.1 GB needed, 9.4 GB free`. */
  fact?: string | null;
  /** What it means, in one or two sentences. */
  meaning: string;
  /** What to do about it. */
  remedy?: string | null;
};

/** What an answer cost and who gave it. */
export type Receipt = {
  kind: ModelKind;
  cost?: Upokt | null;
  usage?: TokenUsage | null;
  first_token_ms?: number | null;
  total_ms: number;
  /** Tokens per second of decoding. */
  tokens_per_second?: number | null;
  /** The CID of the weights, where they are known. */
  weights_cid?: string | null;
  network?: NetworkReceipt | null;
};

/** The recovery words, for the owner to write down. */
export type RecoveryWords = {
  words: string[];
};

/** Counters after an answer was served. */
export type RelayServed = {
  answered: number;
  running: number;
};

/** Forgets an account. One that is only watched needs no password. */
export type RemoveAccount = {
  password?: string | null;
};

/** Gives a folder another name. An empty one takes its conversations out. */
export type RenameFolder = {
  from: string;
  to: string;
};

/** What of a place is spoken for. It is part of that place, and not beside it in the total. */
export type Reserved = {
  reserved_for: ReservedFor;
  place: PlaceKind;
  amount: Upokt;
};

/** What something of a place is spoken for. */
export type ReservedFor = "chat" | "fees" | "transactions";

/** Somebody's part of what a service earns. */
export type RevenueShare = {
  address: string;
  /** In hundredths. */
  percent: number;
};

/** What somebody is on the chain. */
export type RoleName = "supplier" | "application" | "gateway";

/** Something to know before a change is signed. */
export type RoleNote = {
  code: string;
  /** In English, for the terminal. */
  text: string;
  /** Figures of the text by name. */
  values?: Record<string, unknown>;
  /** More is at stake than what the messages name: a power over an account. */
  danger?: boolean;
};

/** A change of a role. */
export type RoleOrder = {
  /** Label or address of the operator, where there are several. */
  operator?: string | null;
  stake?: Upokt | null;
  services?: ServiceOffer[];
  type: "stake_supplier";
} | {
  /** Label or address of the operator, where there are several. */
  operator?: string | null;
  stake?: Upokt | null;
  services?: ServiceOffer[];
  dropped?: string[];
  type: "edit_supplier";
} | {
  stake: Upokt;
  service: string;
  session_limit?: Upokt | null;
  type: "stake_application";
} | {
  stake: Upokt;
  type: "stake_gateway";
} | {
  role: RoleName;
  /** Label or address of a supplier's operator, where there are several. */
  operator?: string | null;
  type: "unstake";
} | {
  gateway?: string | null;
  type: "delegate";
} | {
  gateway?: string | null;
  type: "undelegate";
} | {
  id: string;
  /** Without one a new service has its id. */
  name?: string | null;
  /** A new service needs them. */
  compute_units?: number | null;
  /** A JSON document that says what it is. */
  card?: Record<string, unknown> | null;
  /** Whether it is there already: none is made. */
  is_edit?: boolean;
  type: "service";
} | {
  claim: Record<string, unknown>;
  type: "claim_morse";
};

/** A change of a role as it would be signed. Nothing is signed yet. */
export type RoleReview = {
  /** Names this review when it is sent; good for 5 minutes, once. */
  review_id: string;
  /** The transactions, in this order: each is signed once a block holds the one before it. */
  steps: RoleStep[];
  /** What to know before. */
  notes: RoleNote[];
  /** What leaves the keys of this wallet, besides the fees: what one of them gives the other stays. */
  total: Upokt;
  /** What the network may ask for all of them at most. */
  max_fee: Upokt;
  /** Whether the password is needed to sign. */
  needs_password: boolean;
};

/** One transaction of a change. */
export type RoleStep = {
  /** What the account that signs does here. */
  purpose: Purpose;
  account: string;
  /** The transaction to sign elsewhere, where the key is not in this wallet: as `pocketd tx … --generate-only` writes it. */
  unsigned?: Record<string, unknown> | null;
  /** The command that signs it there. */
  command?: string | null;
  /** What leaves it, besides the fee. */
  amount: Upokt;
  /** What is signed, as the chain's own JSON. */
  messages: (Record<string, unknown>)[];
};

/** What the network asks now. */
export type RoleTerms = {
  supplier_least: Upokt;
  application_least: Upokt;
  gateway_least: Upokt;
  /** What each change of a supplier costs, besides the fee. */
  staking_charge: Upokt;
  /** What a new service costs. */
  service_charge: Upokt;
  blocks_per_session: number;
  block_time_ms?: number | null;
};

/** The roles of this wallet, and what the network asks for them now. */
export type RolesPage = {
  supplier?: SupplierRole | null;
  /** All whose suppliers are served here, the usual one first; then those of suppliers that an account here owns and that are served elsewhere. */
  operators?: OperatorRole[];
  application?: ApplicationRole | null;
  /** Applications of other accounts here, such as those that were claimed of the former network: they pay for nothing that this node asks. */
  other_applications?: ApplicationRole[];
  gateway?: GatewayRole | null;
  terms: RoleTerms;
  /** Where relays of others are to arrive, as it is configured; `None` where nothing is. */
  relay_url?: string | null;
};

/** An answer that is being served. */
export type RunningAnswer = {
  id: string;
  service: string;
  session_id: string;
  /** The operator of the supplier that answers. */
  supplier?: string;
  started_at: Timestamp;
};

/** Keeps a contact; one of the same address is replaced. */
export type SaveContact = {
  address: string;
  name: string;
  note?: string | null;
};

/** What a key opens. None opens the control API. */
export type Scope = "local" | "network" | "embeddings" | "signatures";

/** Seals the keys that sign unattended apart, under a passphrase that opens nothing else. */
export type SealOperator = {
  password: string;
  passphrase: string;
};

/** A payment to look at before it is signed. */
export type SendDraft = {
  /** The account that pays: its address, label, number or purpose. */
  from: string;
  to: string;
  /** Where `max` is set it may be left out. */
  amount?: Upokt;
  memo?: string | null;
  /** All that the key holds, less the fee. */
  max?: boolean;
  fee?: FeeChoice;
  /** Also where the working key would then not hold what open claims and proofs cost. */
  below_reserve?: boolean;
};

/** Signs and sends a reviewed payment. */
export type SendOrder = {
  review_id: string;
  password?: string | null;
};

/** A payment with its fee and its effect. Nothing is signed yet. */
export type SendReview = {
  /** Names this review when it is sent; good for 5 minutes and for one payment. */
  review_id: string;
  /** The label of the account that pays. */
  from: string;
  from_address: string;
  to: string;
  amount: Upokt;
  /** What is paid for it, and no more. */
  fee: Upokt;
  fee_choice?: FeeChoice;
  memo?: string | null;
  balance_before: Upokt;
  balance_after: Upokt;
  standing: Standing;
  /** It was never paid to before. */
  first_payment_to_address: boolean;
  needs_password: boolean;
  /** The recipient's name in the address book. */
  to_name?: string | null;
  /** It is one of this wallet's own keys. */
  to_own?: boolean;
  looks_like?: LooksLike | null;
  /** What would be signed, as the chain's own JSON. */
  messages?: (Record<string, unknown>)[];
};

/** Signs and sends a change that was reviewed, once. */
export type SendRole = {
  review_id: string;
  /** Opens the main key for this alone. */
  password?: string | null;
};

/** A payment or a gift of the faucet that a block includes. */
export type Sent = {
  tx: string;
  height: number;
};

/** A service that this node serves. */
export type ServedService = {
  id: string;
};

/** What the owner of a service says of it: anything, by anybody. */
export type ServiceCard = {
  bytes: number;
  /** The document; `None` where it is none that can be shown. */
  document?: Record<string, unknown> | null;
  /** Why it cannot be shown, in English. */
  problem?: string | null;
};

/** A service with what its owner says of it. */
export type ServiceDetail = (ServiceEntry) & ({
  card?: ServiceCard | null;
});

/** A service of the network. */
export type ServiceEntry = {
  id: string;
  name: string;
  compute_units: number;
  owner: string;
  /** Whether this wallet owns it. */
  is_own: boolean;
};

/** Services of the network. */
export type ServiceList = {
  /** Those of this wallet first, then by id. */
  services: ServiceEntry[];
  /** How many there are. */
  total: number;
};

/** A service that a supplier is to serve. */
export type ServiceOffer = {
  service: string;
  /** Where its relays arrive. */
  url: string;
  /** Who gets how much; empty gives the owner all, and leaves what is edited as it is. */
  shares?: RevenueShare[];
};

/** The windows of the current session, as heights. */
export type SessionStrip = {
  number: number;
  start: number;
  end: number;
  grace_end: number;
  claim_opens: number;
  claim_closes: number;
  proof_opens: number;
  proof_closes: number;
};

/** A supplier of the current session. */
export type SessionSupplier = {
  address: string;
  service: string;
  url?: string | null;
  /** It is this node. */
  own: boolean;
  answered: number;
  failed: number;
  first_token_ms?: number | null;
  /** Why it is not chosen at present. */
  avoided?: string | null;
};

/** Sets the password that other computers sign in with. */
export type SetLogin = {
  /** At least 10 characters. */
  password: string;
};

/** All settings. */
export type Settings = {
  theme: Theme;
  /** A language tag; `None` follows the browser. */
  language?: string | null;
  announce: Announce;
  /** The model of a new chat; `None` takes the first that is ready. */
  default_model?: string | null;
  /** What every new chat starts with. */
  system_prompt?: string | null;
  /** What answers of the network may cost. */
  network_budget: NetworkBudget;
  /** Origins of pages that browsers let call the OpenAI API, beside those of the configuration (`api.allowed_origins`). */
  allowed_origins: string[];
  /** Those of the configuration. */
  configured_origins: string[];
};

/** Settings to change; what is absent stays. An empty text clears a text. */
export type SettingsPatch = {
  theme?: Theme | null;
  language?: string | null;
  announce?: Announce | null;
  default_model?: string | null;
  system_prompt?: string | null;
  daily_cap?: Upokt | null;
  /** Replaces all of them. */
  allowed_origins?: string[] | null;
};

/** The set-up of devnet: the wizard's own job, step by step. */
export type Setup = {
  running: boolean;
  done: boolean;
  /** Empty where there is nothing to set up (any network but devnet). */
  steps: SetupStep[];
};

/** Where a step of the set-up stands. */
export type SetupState = "waiting" | "running" | "done" | "failed";

/** One step of the set-up. */
export type SetupStep = {
  /** `model`, `wallet`, `faucet`, `service`, `supplier`, `application`, `gateway`, `delegation`, `earning`. */
  id: string;
  title: string;
  state: SetupState;
  /** A small fact: `earning from block 31`. */
  fact?: string | null;
  /** Why it failed and what to do. */
  error?: string | null;
};

/** What is swapped for a sign-in: the token of the data directory, or the password of the login. */
export type SignIn = {
  token?: string | null;
  password?: string | null;
};

/** Signs a transaction that was looked at. */
export type SignTx = {
  file: TxFile;
  /** Opens the main key for this alone. */
  password?: string | null;
};

/** All of what would be signed. */
export type SignatureContent = {
  text: string;
  type: "text";
} | (TransactionContent) & ({
  type: "transaction";
});

/** A signature that waits for the owner. */
export type SignatureRequest = {
  id: string;
  /** The name of the API key that asked. */
  asked_by: string;
  address: string;
  asked_at: Timestamp;
  expires_at: Timestamp;
  content: SignatureContent;
  needs_password: boolean;
};

/** Those that wait, the oldest first. */
export type SignatureRequestList = {
  requests: SignatureRequest[];
};

/** A sign-in: its cookie comes with the answer's head. */
export type SignedIn = {
  /** Goes with every call as `X-Hearth-Page`, beside the cookie, which other ports of this host get as well. */
  page_key: string;
};

/** A claim with the signature of the former key. Nothing in it is secret, and nothing is sent yet. */
export type SignedMorseClaim = {
  account: MorseAccount;
  /** The order to review and send. */
  order: RoleOrder;
};

/** A transaction with its signature. */
export type SignedTx = {
  /** As `pocketd tx sign` writes it. */
  tx: Record<string, unknown>;
};

/** A conversation that did not come in. */
export type SkippedChat = {
  title: string;
  reason: string;
};

/** What the chain took of the stake for a claim without a valid proof. */
export type Slash = {
  height: number;
  amount: Upokt;
  stake_after: Upokt;
};

/** Text to copy. */
export type Snippet = {
  /** Where it goes: a path, or a word. */
  label: string;
  language: string;
  text: string;
};

/** One stage of the pipeline. */
export type StageSum = {
  stage: MoneyStage;
  amount?: Upokt | null;
  /** How many sessions it is made of. */
  sessions: number;
};

/** A role that this node has staked for. */
export type StakedRole = {
  /** `supplier`, `application` or `gateway`. */
  role: string;
  address: string;
  stake: Upokt;
  services: string[];
  standing: Standing;
  /** First block in which it is active, where that lies ahead; last one where it unstakes. */
  note?: string | null;
};

/** A service as it is staked. */
export type StakedService = {
  service: string;
  urls: string[];
  shares: RevenueShare[];
  /** The block from which it counts, where that is still to come. */
  from_height?: number | null;
};

/** The standing of a figure: how it was verified, and at which height. */
export type Standing = {
  trust: Trust;
  height: number;
  /** How long ago the chain was as the figure says, by this computer's clock; `None` where that is not known. */
  age_s?: number | null;
};

/** The whole node at a glance. */
export type Status = {
  version: string;
  started_at: Timestamp;
  network: NetworkName;
  head?: Head | null;
  chain_problem?: Reason | null;
  earning: Earning;
  wallet: WalletStatus;
  setup: Setup;
  /** Names of the models in memory. */
  loaded_models: string[];
  /** Answers that are being written now, of all callers. */
  running_answers: number;
  /** What is stored and was found damaged or unreadable: each names the row or the file, and says what to do. */
  problems?: string[];
};

/** What of earning is one supplier's alone. */
export type SupplierEarning = {
  /** Its operator's address. */
  operator: string;
  /** Its owner's address, where the chain has said so. */
  owner?: string | null;
  state: EarningState;
  /** Answers that it serves now. */
  serving: number;
  /** What stands in its way alone. Empty: it serves while earning is on. */
  reasons: Reason[];
  /** What is worth knowing and stops nothing. */
  notes: Reason[];
};

/** The supplier of one of this wallet's operators. */
export type SupplierRole = {
  operator: string;
  owner: string;
  /** Whether the owner is this wallet. Of another owner's stake nothing is ours. */
  is_own: boolean;
  stake: Upokt;
  /** Those that count now or from the next session. */
  services: StakedService[];
  leaving?: Leaving | null;
};

/** What was settled for one supplier of this node. */
export type SupplierSum = {
  /** Its operator's address. */
  operator: string;
  /** Who owned it then; empty where no session says. */
  owner?: string;
  /** Whether that is this wallet, so that it counts in the sums. */
  is_own?: boolean;
  /** What came to its operator and its owner. */
  settled: Upokt;
  sessions: number;
  /** What is claimed or to be claimed, as far as it is known. */
  open?: Upokt;
};

/** Brings a backup back into a folder that is thrown away. */
export type TestBackup = {
  /** A file, or a folder, of the node's computer. */
  from: string;
  /** Where it is a file. */
  passphrase?: string | null;
  /** Where it is to be seen whether the wallet's password opens its keys. */
  wallet_password?: string | null;
};

/** The theme of the UI. */
export type Theme = "system" | "light" | "dark";

/** A moment in UTC. */
export type Timestamp = string;

/** Counted tokens of one answer. */
export type TokenUsage = {
  prompt_tokens: number;
  completion_tokens: number;
};

/** A transaction as it would be signed. */
export type TransactionContent = {
  chain_id: string;
  /** The messages as the chain's own JSON. */
  messages: (Record<string, unknown>)[];
  memo: string;
  /** What leaves the accounts of this wallet in all, besides the fee: payments, what is added to stakes, and what the chain charges for them; also inside other messages. */
  sent?: Upokt;
  /** The signer's number on the chain, and the place of the transaction among its own: 0 where it is unordered. */
  account_number?: number;
  sequence?: number;
  fee: Upokt;
  gas: number;
  /** What the network asks for so much gas. */
  usual_fee?: Upokt;
  /** The fee is far more than that, or than any transaction costs. */
  fee_is_high?: boolean;
  /** The last block that may hold it; none is any block. */
  timeout_height?: number | null;
  /** It may be sent beside others of the account, in any order: no later one takes its place. */
  unordered?: boolean;
  timeout?: Timestamp | null;
  /** What to know before it is signed: powers that it hands over, a role that it takes back, an end that may have passed. */
  notes?: RoleNote[];
};

/** Every transaction of this node, the newest first. */
export type TransactionList = {
  transactions: OwnTransaction[];
  total: number;
};

/** Why a transaction is made. */
export type TransactionReason = "payment" | "role" | "setup" | "claim" | "proof" | "elsewhere";

/** How far a transaction is, and how it ended. */
export type TransactionState = "waiting" | "signed" | "placed" | "included" | "failed" | "refused" | "expired" | "unknown";

/** How far a figure from the chain can be trusted. */
export type Trust = "proven" | "unverified" | "stale";

/** Where trust starts. */
export type TrustAnchor = {
  height: number;
  /** Block hash in upper-case hex. */
  hash: string;
  /** `a person`, `network file`, `configuration`, or `agreed by 2 endpoints`. */
  source: string;
  given_at?: Timestamp | null;
};

/** Which endpoints are tried. */
export type TryEndpoints = {
  /** One of them; without it all are tried. */
  endpoint?: string | null;
};

/** A transaction of another node or program, for an account here to sign. */
export type TxFile = {
  /** The transaction without a signature, as `pocketd tx … --generate-only` and a node without the key write it. */
  tx: Record<string, unknown>;
  /** The account's number on the chain, and the sequence of this transaction: both or none. Without them the chain is asked; they let a node sign that reaches no chain. */
  account_number?: number | null;
  sequence?: number | null;
};

/** All of what would be signed, and by whom. */
export type TxToSign = {
  /** The account that signs, by its address. */
  account: string;
  account_number: number;
  sequence: number;
  content: TransactionContent;
  needs_password: boolean;
};

/** The password of the wallet. */
export type UnlockWallet = {
  password: string;
};

/** An amount of upokt; 1 POKT is 1,000,000 of them. */
export type Upokt = string;

/** A change in upokt; 1 POKT is 1,000,000 of them. */
export type UpoktChange = string;

/** Counts of requests for answers. */
export type UsageCounts = {
  requests: number;
  /** Of the requests, those without an answer. */
  errors: number;
  prompt_tokens: number;
  completion_tokens: number;
  /** What answers of the network cost. */
  cost: Upokt;
};

/** One day. */
export type UsageDay = {
  /** `2026-11-30`, in UTC. */
  date: string;
  counts: UsageCounts;
};

/** The usage of some days. */
export type UsageReport = {
  /** Every day, the oldest first; the last is today. */
  days: UsageDay[];
  /** Sums over these days, the most requests first; 500 at most. */
  sums: UsageSum[];
  /** How many sums there are. */
  total: number;
};

/** What one asked of one model. */
export type UsageSum = {
  asker: AskerKind;
  key_id?: string | null;
  /** Of the key, if it is still there. */
  key_name?: string | null;
  /** Empty where the requests named none, or too many different ones. */
  model: string;
  counts: UsageCounts;
};

/** The outcome of hashing a model's files again. */
export type VerifiedModel = {
  cid: string;
  ok: boolean;
  checked_bytes: number;
  /** What does not match, by file. */
  problems: string[];
};

/** The wallet and its accounts. */
export type WalletPage = {
  status: WalletStatus;
  accounts: Account[];
  /** The working key unlocks by itself at every start. */
  unattended: boolean;
  /** What opens it then opens nothing else. */
  sealed_apart?: boolean;
  /** Whether there are recovery words. */
  has_words?: boolean;
};

/** Whether there is a wallet, and what it can sign now. */
export type WalletStatus = {
  exists: boolean;
  /** The main key needs the password. */
  main_locked: boolean;
  /** The working key cannot sign, so nothing can be earned. */
  working_locked: boolean;
  main_address?: string | null;
  working_address?: string | null;
  /** The recovery words were checked by the owner; also where there are none. */
  words_checked: boolean;
  /** There are recovery words. Keys that were brought in by themselves have none. */
  has_words?: boolean;
};

/** Watches an address whose key is elsewhere. */
export type WatchAddress = {
  address: string;
  label?: string | null;
  purposes?: Purpose[];
};

/** Whether the words are the wallet's. */
export type WordsChecked = {
  matches: boolean;
};

/** Every call of the control API: what goes in and what comes out. */
export type Operations = {
  /** Reads the text of a file (text, code, PDF), to be sent with a question within a day. */
  "POST /attachments": { path: null; query: { name?: string }; body: Blob; answer: Attachment };
  /** Forgets a file that was not sent yet. */
  "DELETE /attachments/{id}": { path: { id: string }; query: null; body: null; answer: null };
  /** The text that was found in a file. */
  "GET /attachments/{id}/text": { path: { id: string }; query: null; body: null; answer: string };
  /** Whether other computers can sign in. */
  "GET /auth/login": { path: null; query: null; body: null; answer: LoginState };
  /** Sets the password for other computers. Ends all sign-ins; the caller gets a new one. */
  "PUT /auth/login": { path: null; query: null; body: SetLogin; answer: LoginSet };
  /** Forgets the password and ends all sign-ins. */
  "DELETE /auth/login": { path: null; query: null; body: null; answer: null };
  /** Swaps the token or the password for a sign-in: a cookie and the key of its page. */
  "POST /auth/session": { path: null; query: null; body: SignIn; answer: SignedIn };
  /** Ends the sign-in. */
  "DELETE /auth/session": { path: null; query: null; body: null; answer: null };
  /** Copies database, keys and configuration into one file that a passphrase opens. */
  "POST /backup": { path: null; query: null; body: BackUp; answer: BackupMade };
  /** Brings a backup back into a folder that is thrown away, and opens all that is in it. */
  "POST /backup/test": { path: null; query: null; body: TestBackup; answer: BackupTested };
  /** Models that are known to work, and how they fit here. */
  "GET /catalogue": { path: null; query: null; body: null; answer: Catalogue };
  /** Every setting of the configuration, with its origin. */
  "GET /config": { path: null; query: null; body: null; answer: ConfigPage };
  /** Changes config.toml: all changes or none; most count with the next start. */
  "PATCH /config": { path: null; query: null; body: ConfigPatch; answer: ConfigPage };
  /** Other programs, what connects them, and which are connected. */
  "GET /connect": { path: null; query: { model?: string; root?: string }; body: null; answer: ProgramList };
  /** What would be written into a program's file. */
  "GET /connect/{program}": { path: { program: string }; query: { model?: string }; body: null; answer: ConnectPreview };
  /** Makes a key and writes a program's file; from this computer alone. */
  "POST /connect/{program}": { path: { program: string }; query: null; body: ConnectOrder; answer: Connected };
  /** Takes back what was written and revokes the key; from this computer alone. */
  "DELETE /connect/{program}": { path: { program: string }; query: null; body: null; answer: Disconnected };
  /** The address book, by name. */
  "GET /contacts": { path: null; query: null; body: null; answer: ContactList };
  /** Keeps a contact; one of the same address is replaced. */
  "PUT /contacts": { path: null; query: null; body: SaveContact; answer: ContactList };
  /** Takes in an address book: all of it or nothing. */
  "POST /contacts/import": { path: null; query: null; body: ImportContacts; answer: ContactList };
  /** Forgets a contact. */
  "DELETE /contacts/{address}": { path: { address: string }; query: null; body: null; answer: null };
  /** Conversations, searched or all. */
  "GET /conversations": { path: null; query: { q?: string; limit?: number; offset?: number; archived?: string; folder?: string }; body: null; answer: ConversationList };
  /** Begins a conversation. */
  "POST /conversations": { path: null; query: null; body: NewConversation; answer: Conversation };
  /** All conversations as JSON, to keep or to import. */
  "GET /conversations/export": { path: null; query: null; body: null; answer: Record<string, unknown> };
  /** Takes in conversations of a file: Hearth's own export, ChatGPT's conversations.json, Open WebUI's export. */
  "POST /conversations/import": { path: null; query: null; body: Blob; answer: Imported };
  /** A conversation with all its messages. */
  "GET /conversations/{id}": { path: { id: string }; query: null; body: null; answer: Conversation };
  /** Deletes a conversation for good. */
  "DELETE /conversations/{id}": { path: { id: string }; query: null; body: null; answer: null };
  /** Renames, pins, archives, puts into a folder, or shows another branch. */
  "PATCH /conversations/{id}": { path: { id: string }; query: null; body: ConversationPatch; answer: Conversation };
  /** Asks, and streams the answer. Closing the stream stops nothing. */
  "POST /conversations/{id}/answers": { path: { id: string }; query: null; body: NewAnswer; answer: AnswerEvent };
  /** Streams an answer that is being written, from its beginning. Closing the stream stops nothing. */
  "GET /conversations/{id}/answers/{answer_id}": { path: { id: string; answer_id: string }; query: null; body: null; answer: AnswerEvent };
  /** Stops an answer; what is there is kept. */
  "DELETE /conversations/{id}/answers/{answer_id}": { path: { id: string; answer_id: string }; query: null; body: null; answer: null };
  /** How much of the model's context the next question takes. The id "new" stands for a conversation to come. */
  "POST /conversations/{id}/context": { path: { id: string }; query: null; body: ContextDraft; answer: ContextUse };
  /** One conversation as JSON, or its shown branch as Markdown. */
  "GET /conversations/{id}/export": { path: { id: string }; query: { format?: string }; body: null; answer: Record<string, unknown> };
  /** Runs all checks. */
  "GET /doctor": { path: null; query: null; body: null; answer: Doctor };
  /** Downloads and how far they are. */
  "GET /downloads": { path: null; query: null; body: null; answer: DownloadList };
  /** Gives a download up and deletes what is there of it. */
  "DELETE /downloads/{cid}": { path: { cid: string }; query: null; body: null; answer: null };
  /** Pauses a download; what is there is kept. */
  "POST /downloads/{cid}/pause": { path: { cid: string }; query: null; body: null; answer: Download };
  /** Goes on with a download. */
  "POST /downloads/{cid}/resume": { path: { cid: string }; query: null; body: null; answer: Download };
  /** How earning stands. */
  "GET /earning": { path: null; query: null; body: null; answer: EarningPage };
  /** Takes a change of a supplier's record on the chain, which was made elsewhere, for known. */
  "POST /earning/acknowledge": { path: null; query: { supplier?: string }; body: null; answer: Earning };
  /** Sessions and what became of them. */
  "GET /earning/sessions": { path: null; query: { limit?: number; offset?: number }; body: null; answer: EarnedSessionList };
  /** All sessions as a table for spreadsheets. */
  "GET /earning/sessions.csv": { path: null; query: null; body: null; answer: string };
  /** The answers of a session. */
  "GET /earning/sessions/{id}/relays": { path: { id: string }; query: { limit?: number; offset?: number; supplier?: string }; body: null; answer: EarnedRelayList };
  /** Starts earning. */
  "POST /earning/start": { path: null; query: null; body: null; answer: Earning };
  /** Stops earning; answers in progress are finished. */
  "POST /earning/stop": { path: null; query: null; body: null; answer: Earning };
  /** Sums by stage and by day. */
  "GET /earning/summary": { path: null; query: null; body: null; answer: EarningSummary };
  /** Events, as they happen. */
  "GET /events": { path: null; query: null; body: null; answer: Event };
  /** How far the first run is, and what this computer has. */
  "GET /first-run": { path: null; query: null; body: null; answer: FirstRun };
  /** Notes a step as done or skipped, the chosen role, or the end of the first run. */
  "PATCH /first-run": { path: null; query: null; body: FirstRunPatch; answer: FirstRun };
  /** Gives a folder another name; an empty one takes its conversations out. */
  "POST /folders/rename": { path: null; query: null; body: RenameFolder; answer: null };
  /** API keys, without their secrets. */
  "GET /keys": { path: null; query: null; body: null; answer: ApiKeyList };
  /** Makes an API key and says it once. */
  "POST /keys": { path: null; query: null; body: NewApiKey; answer: CreatedApiKey };
  /** Revokes an API key; one that is revoked already is forgotten. */
  "DELETE /keys/{id}": { path: { id: string }; query: null; body: null; answer: null };
  /** Changes what an API key may do. */
  "PATCH /keys/{id}": { path: { id: string }; query: null; body: ApiKeyPatch; answer: ApiKey };
  /** The parts that Hearth is built from. */
  "GET /licences": { path: null; query: null; body: null; answer: LicenceList };
  /** Models of this computer and of the network. */
  "GET /models": { path: null; query: null; body: null; answer: ModelList };
  /** Adds a file or folder of this computer. */
  "POST /models/add": { path: null; query: null; body: AddModel; answer: Model };
  /** Fetches a model by its CID. */
  "POST /models/pull": { path: null; query: null; body: PullModel; answer: Download };
  /** Deletes a model that nothing uses. */
  "DELETE /models/{cid}": { path: { cid: string }; query: null; body: null; answer: null };
  /** Loads a model into memory. */
  "POST /models/{cid}/load": { path: { cid: string }; query: null; body: null; answer: Model };
  /** Gives the memory of a model back. */
  "POST /models/{cid}/unload": { path: { cid: string }; query: null; body: null; answer: Model };
  /** Hashes the files of a model again. */
  "POST /models/{cid}/verify": { path: { cid: string }; query: null; body: null; answer: VerifiedModel };
  /** Chain, proof, session, endpoints, services. */
  "GET /network": { path: null; query: null; body: null; answer: NetworkPage };
  /** Takes a block that a person trusts. */
  "POST /network/anchor": { path: null; query: null; body: GiveAnchor; answer: NetworkPage };
  /** Forgets the block that a person trusts. */
  "DELETE /network/anchor": { path: null; query: null; body: null; answer: NetworkPage };
  /** Tries an endpoint and keeps it. */
  "POST /network/endpoints": { path: null; query: null; body: AddEndpoint; answer: NetworkPage };
  /** Takes an endpoint away. */
  "POST /network/endpoints/remove": { path: null; query: null; body: NameEndpoint; answer: NetworkPage };
  /** Tries one endpoint, or all. */
  "POST /network/endpoints/test": { path: null; query: null; body: TryEndpoints; answer: EndpointTrialList };
  /** False answers that were kept. */
  "GET /network/evidence": { path: null; query: null; body: null; answer: FalseAnswerList };
  /** Decides a conflict of chain and trust anchor: the anchor counts, what was verified is forgotten. */
  "POST /network/trust": { path: null; query: null; body: null; answer: NetworkPage };
  /** This document. */
  "GET /openapi.json": { path: null; query: null; body: null; answer: Record<string, unknown> };
  /** Presets, by name. */
  "GET /presets": { path: null; query: null; body: null; answer: PresetList };
  /** Makes a preset. */
  "POST /presets": { path: null; query: null; body: NewPreset; answer: Preset };
  /** Deletes a preset. */
  "DELETE /presets/{id}": { path: { id: string }; query: null; body: null; answer: null };
  /** Changes a preset; conversations that were begun with it stay as they are. */
  "PATCH /presets/{id}": { path: { id: string }; query: null; body: PresetPatch; answer: Preset };
  /** A short text as a code to scan. */
  "GET /qr": { path: null; query: { text?: string }; body: null; answer: QrCode };
  /** Answers that were asked for on the network, the newest first. */
  "GET /receipts": { path: null; query: { limit?: number; offset?: number }; body: null; answer: BoughtAnswerList };
  /** All receipts as a table for spreadsheets. */
  "GET /receipts.csv": { path: null; query: null; body: null; answer: string };
  /** One of them; the header x-hearth-receipt of an answer has its id. */
  "GET /receipts/{id}": { path: { id: string }; query: null; body: null; answer: BoughtAnswer };
  /** Stops the node in order and starts it anew, where the program can. */
  "POST /restart": { path: null; query: null; body: null; answer: null };
  /** The roles of this wallet on the chain, and what the network asks for them. */
  "GET /roles": { path: null; query: null; body: null; answer: RolesPage };
  /** Sends a transaction that was given out to be signed elsewhere, and waits for its block. */
  "POST /roles/broadcast": { path: null; query: null; body: BroadcastTx; answer: BroadcastDone };
  /** What sending it would do, by the node's checks and the chain's trial run; sends nothing. */
  "POST /roles/broadcast/review": { path: null; query: null; body: BroadcastTx; answer: BroadcastTrial };
  /** Checks a change of a role and says what would be signed; signs nothing. */
  "POST /roles/review": { path: null; query: null; body: RoleOrder; answer: RoleReview };
  /** Signs and sends a reviewed change of a role, once, and waits for its blocks. */
  "POST /roles/send": { path: null; query: null; body: SendRole; answer: TransactionList };
  /** The services of the network, those of this wallet first. */
  "GET /roles/services": { path: null; query: { q?: string; limit?: number; offset?: number }; body: null; answer: ServiceList };
  /** A service of the network with its card. */
  "GET /roles/services/{id}": { path: { id: string }; query: null; body: null; answer: ServiceDetail };
  /** All settings. */
  "GET /settings": { path: null; query: null; body: null; answer: Settings };
  /** Changes settings at once. */
  "PATCH /settings": { path: null; query: null; body: SettingsPatch; answer: Settings };
  /** Sets devnet up, or goes on where it failed. */
  "POST /setup/run": { path: null; query: null; body: null; answer: Setup };
  /** Signatures that programs ask for. */
  "GET /signatures": { path: null; query: null; body: null; answer: SignatureRequestList };
  /** Signs what a program asked for, as it was shown. */
  "POST /signatures/{id}/approve": { path: { id: string }; query: null; body: ApproveSignature; answer: null };
  /** Refuses what a program asked for. */
  "POST /signatures/{id}/refuse": { path: { id: string }; query: null; body: null; answer: null };
  /** The node at a glance. */
  "GET /status": { path: null; query: null; body: null; answer: Status };
  /** What was asked for by whom, and what it cost. */
  "GET /usage": { path: null; query: { days?: number; asker?: string }; body: null; answer: UsageReport };
  /** All usage by day as a table for spreadsheets. */
  "GET /usage.csv": { path: null; query: null; body: null; answer: string };
  /** Accounts and locks. */
  "GET /wallet": { path: null; query: null; body: null; answer: WalletPage };
  /** The accounts of the wallet, with what the chain knows of each. */
  "GET /wallet/accounts": { path: null; query: null; body: null; answer: AccountList };
  /** Takes a key in: the next one of the wallet's words, or one from elsewhere. */
  "POST /wallet/accounts": { path: null; query: null; body: AddAccount; answer: Account };
  /** Renames an account, or changes what it is used for. */
  "PATCH /wallet/accounts/{id}": { path: { id: string }; query: null; body: ChangeAccount; answer: Account };
  /** Exports the key of an account; asks for the wallet's own password. */
  "POST /wallet/accounts/{id}/export": { path: { id: string }; query: null; body: ExportAccount; answer: ExportedAccount };
  /** Forgets an account. */
  "POST /wallet/accounts/{id}/remove": { path: { id: string }; query: null; body: RemoveAccount; answer: WalletPage };
  /** Where the POKT is. */
  "GET /wallet/balances": { path: null; query: null; body: null; answer: Balances };
  /** Compares written-down words with the wallet. */
  "POST /wallet/check": { path: null; query: null; body: CheckWords; answer: WordsChecked };
  /** Makes a wallet and says its words once. */
  "POST /wallet/create": { path: null; query: null; body: CreateWallet; answer: CreatedWallet };
  /** Looks along the usual paths of words for accounts that the chain knows. */
  "POST /wallet/discover": { path: null; query: null; body: Discover; answer: FoundAccounts };
  /** Play money, on devnet only. */
  "POST /wallet/faucet": { path: null; query: null; body: FaucetOrder; answer: Sent };
  /** Movements of money, all or those that are asked for. */
  "GET /wallet/history": { path: null; query: { limit?: number; offset?: number; q?: string; kinds?: string; since?: string; until?: string }; body: null; answer: History };
  /** All movements of money as a table for spreadsheets. */
  "GET /wallet/history.csv": { path: null; query: null; body: null; answer: string };
  /** Brings a wallet back from its words. */
  "POST /wallet/import": { path: null; query: null; body: ImportWallet; answer: WalletPage };
  /** Calls a movement of money something; an empty label takes it back. */
  "PUT /wallet/label": { path: null; query: null; body: LabelMovement; answer: null };
  /** Locks the main key; earning goes on. */
  "POST /wallet/lock": { path: null; query: null; body: null; answer: WalletPage };
  /** What the account of a key of the former network may claim; the key is kept nowhere. */
  "POST /wallet/morse": { path: null; query: null; body: MorseKeyFile; answer: MorseAccount };
  /** Has a key of the former network sign a claim, to be reviewed and sent; the key is kept nowhere. */
  "POST /wallet/morse/claim": { path: null; query: null; body: ClaimMorse; answer: SignedMorseClaim };
  /** What an account of the former network may claim. */
  "GET /wallet/morse/{address}": { path: { address: string }; query: null; body: null; answer: MorseAccount };
  /** Sets another password. */
  "POST /wallet/password": { path: null; query: null; body: ChangePassword; answer: WalletPage };
  /** Seals the keys that sign unattended under a passphrase that opens nothing else. */
  "POST /wallet/seal-operator": { path: null; query: null; body: SealOperator; answer: WalletPage };
  /** Signs and sends a reviewed payment, once. */
  "POST /wallet/send": { path: null; query: null; body: SendOrder; answer: Sent };
  /** Checks a payment and says its fee; signs nothing. */
  "POST /wallet/send/review": { path: null; query: null; body: SendDraft; answer: SendReview };
  /** Every transaction of this node: what was wanted, what was signed, how it ended. */
  "GET /wallet/transactions": { path: null; query: { limit?: number; offset?: number }; body: null; answer: TransactionList };
  /** Reads a transaction of another node or program: all of what an account here would sign. */
  "POST /wallet/tx/review": { path: null; query: null; body: TxFile; answer: TxToSign };
  /** Signs a transaction of another node or program, and gives it back; nothing is sent. */
  "POST /wallet/tx/sign": { path: null; query: null; body: SignTx; answer: SignedTx };
  /** Unlocks both keys. */
  "POST /wallet/unlock": { path: null; query: null; body: UnlockWallet; answer: WalletPage };
  /** Watches an address whose key is elsewhere. */
  "POST /wallet/watch": { path: null; query: null; body: WatchAddress; answer: Account };
  /** Says the recovery words again. */
  "POST /wallet/words": { path: null; query: null; body: UnlockWallet; answer: RecoveryWords };
};
