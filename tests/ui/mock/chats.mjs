// The chats of the mock: conversations, answers that are written whoever reads, files, folders, presets.
import { message, receipt } from './world.mjs';

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const PIECE_MS = 15;
const NO_PARAMS = {};

export class Refusal extends Error {
  constructor(status, code, text, remedy = null, values = {}) {
    super(text);
    Object.assign(this, { status, code, remedy, values });
  }
}

export const windowOf = (query, list) => {
  const offset = Number(query.get('offset') ?? 0);
  return list.slice(offset, offset + Number(query.get('limit') ?? 50));
};
export const summaryOf = ({ messages, system_prompt, head_id, params, ...rest }) => ({ ...rest, messages: messages.length, snippet: null, hit_id: null });

const find = (mock, id) => {
  const found = mock.it.conversations.find((one) => one.id === id);
  if (!found) throw new Refusal(404, 'not_found', 'there is no such conversation');
  return found;
};
const tell = (mock, conversation) => mock.emit({ type: 'conversation', ...summaryOf(conversation) });
const foldersOf = (mock) => {
  const counts = new Map();
  for (const { folder, archived } of mock.it.conversations) if (folder && !archived) counts.set(folder, (counts.get(folder) ?? 0) + 1);
  return [...counts].sort().map(([name, conversations]) => ({ name, conversations }));
};
const filesOf = (mock, ids) =>
  (ids ?? []).map((id) => {
    const found = mock.it.files.find((one) => one.id === id);
    if (!found) throw new Refusal(404, 'not_found', 'there is no such attachment');
    const { text, ...file } = found;
    return file;
  });

const streamTo = (mock, response, method, path) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  mock.streams.add(response);
  return (event) => {
    mock.check(method, path, event);
    if (!response.destroyed) response.write(`data: ${JSON.stringify(event)}\n\n`);
    if (event.type === 'finished' || event.type === 'failed') response.end();
  };
};

/** Begins an answer; it is written to its end, whether or not somebody reads. */
export function answer(mock, { id, body }, response) {
  const conversation = find(mock, id);
  const files = filesOf(mock, body.attachments);
  const send = streamTo(mock, response, 'POST', '/conversations/{id}/answers');
  let question = null;
  let parent = body.at_root ? null : (body.parent_id ?? conversation.head_id);
  if (body.content) {
    question = message(`q${mock.next++}`, parent, 'user', body.content, { attachments: files });
    conversation.messages.push(question);
    parent = question.id;
  }
  const made = message(`a${mock.next++}`, parent, 'assistant', '', { state: 'streaming', model: body.model, created_at: new Date().toISOString() });
  conversation.messages.push(made);
  Object.assign(conversation, { head_id: made.id, answering: made.id });
  if (conversation.title === 'New chat' && question) conversation.title = question.content.slice(0, 60);
  const readers = new Set([send]);
  mock.writing.set(made.id, { conversation, made, readers });
  send({ type: 'started', question, answer: made });
  tell(mock, conversation);
  void write(mock, mock.writing.get(made.id), body);
}

async function write(mock, { conversation, made, readers }, body) {
  const isFailing = body.content?.startsWith('FAIL');
  const isOver = () => mock.stopped.has(made.id) || !mock.server.listening;
  for (const [n, text] of (isFailing ? ['Half an'] : mock.answerPieces).entries()) {
    do await wait(PIECE_MS);
    while (n >= mock.pieces && !isOver());
    if (isOver()) break;
    made.content += text;
    for (const send of readers) send({ type: 'delta', text });
  }
  mock.writing.delete(made.id);
  const wasStopped = mock.stopped.has(made.id);
  const isNetwork = (body.model ?? '').startsWith('pocket/');
  made.receipt = isFailing ? null : receipt(isNetwork ? '262782' : null, wasStopped ? mock.chargeOfStopped : 'paid');
  if (made.content.startsWith('<think>')) made.thought_ms = 11_000;
  made.state = isFailing ? 'failed' : wasStopped ? 'stopped' : 'done';
  if (isFailing) made.error = { code: 'supplier_failed', message: 'The supplier stopped half-way.', remedy: 'Another one goes on; that costs a second answer, 0.2628 POKT.' };
  Object.assign(conversation, { answering: null, updated_at: new Date().toISOString() });
  for (const send of readers) send(isFailing ? { type: 'failed', answer: made, error: made.error } : { type: 'finished', answer: made });
  if (mock.server.listening) tell(mock, conversation);
}

/** From its beginning, for whoever comes later. */
export function follow(mock, { id, answer_id }, response) {
  const made = find(mock, id).messages.find((one) => one.id === answer_id);
  if (!made) throw new Refusal(404, 'not_found', 'there is no such answer');
  const send = streamTo(mock, response, 'GET', '/conversations/{id}/answers/{answer_id}');
  const running = mock.writing.get(answer_id);
  if (!running) return send(made.error ? { type: 'failed', answer: made, error: made.error } : { type: 'finished', answer: made });
  running.readers.add(send);
  send({ type: 'started', question: null, answer: made });
}

function list(mock, { query }) {
  const q = (query.get('q') ?? '').toLowerCase();
  const [archived, folder] = [query.get('archived'), query.get('folder')];
  const hitOf = (one) => one.messages.find((part) => part.content.toLowerCase().includes(q)) ?? null;
  const fits = (one) =>
    (q ? one.title.toLowerCase().includes(q) || hitOf(one) : one.archived === (archived === 'true')) && (!folder || one.folder === folder);
  const found = windowOf(query, mock.it.conversations.filter(fits)).map((one) => ({ ...summaryOf(one), ...(q ? { snippet: `… ${q} …`, hit_id: hitOf(one)?.id ?? null } : {}) }));
  return { conversations: found, folders: foldersOf(mock) };
}

function change(mock, { id, body }) {
  const cleared = Object.fromEntries(Object.entries(body).map(([name, value]) => [name, value === '' ? null : value]));
  const conversation = Object.assign(find(mock, id), cleared);
  tell(mock, conversation);
  return conversation;
}

function attach(mock, { query, bytes }) {
  const name = query.get('name') ?? 'text';
  const text = bytes.toString('utf8');
  if (name.endsWith('.png')) throw new Refusal(400, 'chat_file_picture', 'the file is a picture: only text is read, so copy what stands in it, or send a PDF with text');
  const file = { id: `f${mock.next++}`, name, media_type: 'text/plain', bytes: bytes.length, characters: Math.min(text.length, 20_000), is_cut: text.length > 20_000 };
  mock.it.files.push({ ...file, text: text.slice(0, 20_000) });
  return file;
}

/** Some four letters a token, as an estimate has it. */
function context(mock, { id, body }) {
  const said = id === 'new' ? [] : find(mock, id).messages.map((one) => one.content);
  const files = (body.attachments ?? []).map((one) => mock.it.files.find((file) => file.id === one)?.text ?? '');
  const letters = [body.system_prompt ?? '', body.draft ?? '', ...said, ...files].join('').length;
  return { tokens: Math.ceil(letters / 4) + 12, limit: mock.contextLimit, is_exact: mock.contextIsExact };
}

function take(mock, { bytes }) {
  if (bytes.subarray(0, 2).toString() === 'PK') throw new Refusal(400, 'chat_import_zip', 'this is a ZIP archive: unpack it, and choose the file conversations.json in it');
  const chats = JSON.parse(bytes.toString('utf8'));
  const good = chats.filter((one) => one.text);
  for (const { title, text } of good) mock.it.conversations.unshift(newChat(mock, { title }, [message(`i${mock.next++}`, null, 'user', text)]));
  return { conversations: good.length, messages: good.length, skipped: chats.filter((one) => !one.text).map(({ title }) => ({ title, reason: 'it has no messages with text' })) };
}

function newChat(mock, body, messages = []) {
  const now = new Date().toISOString();
  return {
    id: `n${mock.next++}`, title: body.title ?? 'New chat', model: body.model ?? null, pinned: false, system_prompt: body.system_prompt ?? null,
    folder: body.folder ?? null, archived: false, params: body.params ?? NO_PARAMS, answering: null, created_at: now, updated_at: now, head_id: messages.at(-1)?.id ?? null, messages,
  };
}

const presetOf = (mock, id) => {
  const found = mock.it.presets.find((one) => one.id === id);
  if (!found) throw new Refusal(404, 'not_found', 'there is no such preset');
  return found;
};

/** A file that is saved, beside the answers in JSON. */
export class Saved {
  constructor(name, type, text) {
    Object.assign(this, { name, type, text });
  }
}

export const chatHandlers = {
  'GET /conversations': list,
  'POST /conversations': (mock, { body }) => {
    const made = newChat(mock, body);
    mock.it.conversations.unshift(made);
    return made;
  },
  'GET /conversations/{id}': (mock, { id }) => find(mock, id),
  'PATCH /conversations/{id}': change,
  'DELETE /conversations/{id}': (mock, { id }) => {
    mock.it.conversations = mock.it.conversations.filter((one) => one.id !== id);
    mock.emit({ type: 'conversation_deleted', id });
  },
  'DELETE /conversations/{id}/answers/{answer_id}': (mock, { answer_id }) => void mock.stopped.add(answer_id),
  'POST /conversations/import': take,
  'GET /conversations/export': (mock) => new Saved('hearth-chats.json', 'application/json', JSON.stringify({ conversations: mock.it.conversations })),
  'GET /conversations/{id}/export': (mock, { id, query }) => {
    const { title, messages } = find(mock, id);
    if (query.get('format') === 'md') return new Saved('chat.md', 'text/markdown', `# ${title}\n\n${messages.map((one) => one.content).join('\n\n')}\n`);
    return new Saved('chat.json', 'application/json', JSON.stringify({ title, messages }));
  },
  'POST /conversations/{id}/context': context,
  'POST /folders/rename': (mock, { body }) => {
    for (const one of mock.it.conversations.filter((chat) => chat.folder === body.from)) {
      one.folder = body.to || null;
      tell(mock, one);
    }
  },
  'POST /attachments': attach,
  'GET /attachments/{id}/text': (mock, { id }) => {
    const file = mock.it.files.find((one) => one.id === id);
    if (!file) throw new Refusal(404, 'not_found', 'there is no such attachment');
    return new Saved(null, 'text/plain; charset=utf-8', file.text);
  },
  'DELETE /attachments/{id}': (mock, { id }) => void (mock.it.files = mock.it.files.filter((one) => one.id !== id)),
  'GET /presets': (mock) => ({ presets: mock.it.presets }),
  'POST /presets': (mock, { body }) => {
    const made = { id: `p${mock.next++}`, name: body.name, system_prompt: body.system_prompt ?? null, model: body.model ?? null, params: body.params ?? NO_PARAMS };
    mock.it.presets.push(made);
    return made;
  },
  'PATCH /presets/{id}': (mock, { id, body }) => Object.assign(presetOf(mock, id), body),
  'DELETE /presets/{id}': (mock, { id }) => void (mock.it.presets = mock.it.presets.filter((one) => one.id !== id)),
};
