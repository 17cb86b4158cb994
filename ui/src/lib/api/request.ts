// One typed call for everything: `call('GET /status')`. The types come from the generated table, so a call that the
// API does not have does not compile.
import { keepPageKey, pageKey } from './pageKey';
import type { ErrorBody, ErrorDetail, Operations } from './generated';

export type Call = keyof Operations;
type Parts<C extends Call> = Operations[C];
export type AnswerOf<C extends Call> = Parts<C>['answer'];

export type Options<C extends Call> = (Parts<C>['path'] extends null ? { path?: never } : { path: Parts<C>['path'] }) &
  (Parts<C>['query'] extends null ? { query?: never } : { query?: Parts<C>['query'] }) &
  (Parts<C>['body'] extends null ? { body?: never } : { body: Parts<C>['body'] }) & { signal?: AbortSignal };

/** What an error says beside what happened and what to do. */
export type ErrorMore = Pick<ErrorDetail, 'meaning' | 'details' | 'values'>;

/** What the API said was wrong, or that it did not answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly remedy: string | null,
    readonly more: ErrorMore = {},
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** The node could not be reached; nothing is known about what it did. */
  get unreachable(): boolean {
    return this.status === 0;
  }
}

export const BASE = '/api/v1';

/** Called whenever the API says that we are not signed in (any more). */
let onSignedOut: () => void = () => {};
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler;
}

/** Calls whose answers bring a sign-in, and the one that is under way. */
const SIGN_INS: readonly Call[] = ['POST /auth/session', 'PUT /auth/login'];
let signingIn: Promise<unknown> = Promise.resolve();

function addressOf(call: Call, options: { path?: object | null; query?: object | null }): [string, string] {
  const space = call.indexOf(' ');
  let path = call.slice(space + 1);
  for (const [name, value] of Object.entries(options.path ?? {})) {
    path = path.replace(`{${name}}`, encodeURIComponent(String(value)));
  }
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== null && value !== '') query.set(name, String(value));
  }
  const tail = query.size > 0 ? `?${query}` : '';
  return [call.slice(0, space), `${BASE}${path}${tail}`];
}

/** The raw answer of a call that went well; everything else is thrown as an `ApiError`. */
export async function send<C extends Call>(call: C, options: Options<C>, accept: string): Promise<Response> {
  const given = options as { path?: object; query?: object; body?: unknown; signal?: AbortSignal };
  const [method, url] = addressOf(call, given);
  const key = pageKey();
  const headers: Record<string, string> = { Accept: accept };
  if (key) headers['X-Hearth-Page'] = key;
  const isFile = given.body instanceof Blob;
  if (given.body !== undefined) headers['Content-Type'] = isFile ? 'application/octet-stream' : 'application/json';
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      credentials: 'same-origin',
      body: given.body === undefined || given.body instanceof Blob ? given.body : JSON.stringify(given.body),
      signal: given.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', 'Hearth does not answer.', null);
  }
  if (response.ok) return response;
  if (response.status === 401 && call !== 'POST /auth/session') {
    // Nothing was done. It may have been sent between an old sign-in and a new one.
    if (!SIGN_INS.includes(call)) await signingIn;
    if (pageKey() !== key) return send(call, options, accept);
    onSignedOut();
  }
  throw await errorOf(response);
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { error } = (await response.json()) as ErrorBody;
    return new ApiError(response.status, error.code, error.message, error.remedy ?? null, error);
  } catch {
    return new ApiError(response.status, 'unexpected', `Hearth answered ${response.status}.`, null);
  }
}

/** Calls the API and gives its JSON answer. */
export async function call<C extends Call>(
  name: C,
  ...rest: Record<never, never> extends Options<C> ? [options?: Options<C>] : [options: Options<C>]
): Promise<AnswerOf<C>> {
  const answer = answerTo(name, (rest[0] ?? {}) as Options<C>);
  if (SIGN_INS.includes(name)) signingIn = answer.then(keepSignIn, () => {});
  return answer;
}

async function answerTo<C extends Call>(name: C, options: Options<C>): Promise<AnswerOf<C>> {
  const response = await send(name, options, 'application/json');
  if (response.status === 204) return null as AnswerOf<C>;
  return (await response.json()) as AnswerOf<C>;
}

function keepSignIn(answer: unknown): void {
  const { page_key } = answer as AnswerOf<'PUT /auth/login'>;
  if (page_key) keepPageKey(page_key);
}
