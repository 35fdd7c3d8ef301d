/**
 * The assistant, without HTTP (docs/protocol.md sections 4 to 7; the paper's svr).
 *
 * It answers requests that carry a ticket sealed to one of its keys, the MAC of the ticket's device and the verifier of
 * the ticket's password. It keeps no accounts: the store holds guesses, request numbers and marks.
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import * as v from 'valibot';
import { toBase64url, wipe } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { type ErrorCode, isRoamingKeyError, isWireErrorCode, RoamingKeyError } from '../base/errors.ts';
import { readPayload } from '../base/json.ts';
import { checkFunctions, checkOptions, wholeNumber, wrongOption } from '../base/options.ts';
import { inTime } from '../base/time-limit.ts';
import { matchesKey, parseSealed, type SealedJwe, seal } from '../crypto/jwe/jwe.ts';
import { openSealed, sealResponse } from '../crypto/jwe/jwe-node.ts';
import { sha256 } from '../crypto/sha256-node.ts';
import {
  ExponentiationPool,
  type ExponentiationPoolOptions,
  type ExponentiationPoolStatus,
  type Visit,
} from '../exponentiation/pool.ts';
import { sodiumEd25519 } from '../exponentiation/sodium.ts';
import { refusalOf } from '../http/tell-refusals.ts';
import { AddressBudget } from '../limits/address-budget.ts';
import { AddressCounter } from '../limits/address-counter.ts';
import { PacedLimit } from '../limits/paced-limit.ts';
import { SlowLane } from '../limits/slow-lane.ts';
import { type AssistStep, type Instrument, type Observe, observed, observer } from '../observe/instrument.ts';
import { safeListener } from '../observe/listeners.ts';
import { DISABLE_REQUEST, disablingName } from '../protocol/disabling.ts';
import {
  ASSIST_BODY,
  DISABLE_BODY,
  MAX_CLOCK_SKEW,
  macInput,
  REPLAY_WINDOW,
  type ReadRequest,
  type Request,
  readRequest,
  ticketHash,
} from '../protocol/messages.ts';
import type { Operation } from '../protocol/schemes/index.ts';
import type { Engines, Share } from '../protocol/schemes/scheme.ts';
import { readTicket, stateId, type Ticket, ticketPayload } from '../protocol/ticket.ts';
import { type GuessPolicy, guessPolicy } from '../store/guess-policy.ts';
import type { ReserveAnswer, SettleAnswer, Store } from '../store/store.ts';
import { type AssistantStore, boundedStore } from './bounded-store.ts';
import type { AssistantListener } from './events.ts';
import { DisabledPages, type ServedPage } from './feed.ts';
import type { AssistantKey, KeySet } from './keys.ts';
import { type Computation, type Operations, operations, type ServedSchemes } from './operations.ts';
import { Turns } from './turns.ts';

/** What the app's own policy may look at before anything is counted. */
export interface PolicyRequest {
  readonly op: Operation;
  readonly scheme: Ticket['scheme'];
  readonly id: string;
  readonly u: string;
  /** The client's address as the router saw it. */
  readonly address?: string | undefined;
}

export interface AssistantOptions {
  /**
   * The keys that tickets are sealed to, or a promise of them, for files without `await` at their top. Requests wait for it; where
   * it rejects, `init` does, and without that the process ends as by any rejection that is not handled.
   */
  readonly keys: KeySet | Promise<KeySet>;
  /** Where guesses, marks and request numbers are remembered; shared by all processes that hold the same keys. */
  readonly store: Store;
  /** How many wrong passwords are answered. Default: docs/protocol.md section 7. */
  readonly policy?: Partial<GuessPolicy>;
  /** What is served. Default: every scheme; RSA with 2048 and 3072 bits; ElGamal on P-256, ffdhe2048, ffdhe3072. */
  readonly serve?: ServedSchemes;
  /** Threads for the exponentiations of shared keys. Default: one less than the processors, at least one. */
  readonly workers?: ExponentiationPoolOptions;
  /** The app's own say, after the MAC was found good and before anything is counted: false answers `refused`. */
  readonly allow?: (request: PolicyRequest) => boolean | Promise<boolean>;
  /** Hears what happens; never gets a secret. */
  readonly onEvent?: AssistantListener;
  /** Runs every step, for metrics and traces; never gets a secret. */
  readonly instrument?: Instrument;
  /**
   * How many ids one address may make the store keep in an hour, by a first failure, a first success, a retirement or a
   * reissue. Beyond it ids that are not known wait for their turn, one in a second. Default 300.
   */
  readonly newIdsPerHour?: number;
  /** How many keys one address may disable in a minute; further ones wait for their turn, one in a second. Default 60. */
  readonly disablesPerMinute?: number;
  /** How long an operation of the store may take, in seconds, before the answer is `unavailable`. Default 10. */
  readonly storeTimeout?: number;
  /** Seconds since the epoch. Default: the machine's clock. */
  readonly now?: () => number;
}

/** What an operator's monitor may know. */
export interface Health {
  readonly status: 'ok' | 'unavailable';
  readonly store: 'ok' | 'unavailable';
  readonly workers: ExponentiationPoolStatus;
}

/** What the transport knows of a request besides its body. */
export interface RequestContext {
  /** The client's address, for limits and the audit log. */
  readonly address?: string | undefined;
}

type Settled = Extract<SettleAnswer, { readonly answer: 'settled' }>;

interface OpenTicket {
  readonly ticket: Ticket;
  readonly share: Share;
  readonly key: AssistantKey;
  readonly isRetiring: boolean;
}

/** A ticket and a request as they were sent, and what is in the ticket. */
interface Received {
  readonly tau: string;
  readonly gamma: string;
  readonly ticket: Ticket;
  readonly share: Share;
}

/** Full pages of the feed for an address in a minute, at each process: six million entries. */
const FULL_PAGES_PER_MINUTE = 6000;
/** How long a request waits for the keys, in seconds. */
const KEYS_TIMEOUT = 10;
/** How long a right password waits for its turn of the event loop, in milliseconds. */
const PATIENCE = 250;
const POOL_STEPS = {
  power: { name: 'exponentiate', scheme: 'rsa' },
  groupPowers: { name: 'exponentiate', scheme: 'elgamal' },
} as const;

const OPTIONS = {
  keys: true,
  store: true,
  policy: true,
  serve: true,
  workers: true,
  allow: true,
  onEvent: true,
  instrument: true,
  newIdsPerHour: true,
  disablesPerMinute: true,
  storeTimeout: true,
  now: true,
} as const satisfies Record<keyof AssistantOptions, true>;
const WORKER_OPTIONS = {
  size: true,
  queue: true,
  timeLimit: true,
  now: true,
} as const satisfies Record<keyof ExponentiationPoolOptions, true>;

const REJECTED: ReadonlySet<string> = new Set<ErrorCode>([
  'invalid_request',
  'unknown_key',
  'bad_ticket',
  'stale_request',
  'unsupported',
  'bad_mac',
]);

/**
 * One request in, one answer out.
 *
 * @throws TypeError at construction for an option that is missing or of the wrong kind
 */
export class Assistant {
  #keys: KeySet | undefined;
  readonly #loading: Promise<void>;
  readonly #init: () => Promise<void>;
  readonly #store: AssistantStore;
  readonly #policy: GuessPolicy;
  readonly #operations: Operations;
  readonly #workers: ExponentiationPool;
  readonly #allow: AssistantOptions['allow'];
  readonly #emit: AssistantListener;
  readonly #observe: Observe;
  readonly #newIds: AddressBudget;
  readonly #unknownIds: SlowLane;
  readonly #turns: Turns;
  readonly #disablings: PacedLimit;
  readonly #pages: DisabledPages;
  readonly #fullPages: AddressCounter;
  readonly #now: () => number;

  constructor(options: AssistantOptions) {
    checkOptions(options, OPTIONS);
    checkOptions(options.workers ?? {}, WORKER_OPTIONS, 'workers');
    const { keys } = options;
    const isPromise = typeof (keys as Partial<Promise<KeySet>> | undefined)?.then === 'function';
    if (!isPromise) assertKeys(keys);
    if (typeof options.store?.reserve !== 'function' || typeof options.store.count !== 'function')
      throw wrongOption('store', 'a Store', options.store);
    checkFunctions(options, ['allow', 'onEvent', 'now']);
    if (!isPromise) this.#keys = keys as KeySet;
    this.#loading = isPromise ? this.#load(keys as Promise<KeySet>) : Promise.resolve();
    const { store, storeTimeout = 10, disablesPerMinute = 60 } = options;
    if (!Number.isFinite(storeTimeout) || storeTimeout <= 0)
      throw wrongOption('storeTimeout', 'a number of seconds above 0', storeTimeout);
    wholeNumber('disablesPerMinute', disablesPerMinute, 1);
    this.#init = () => store.init();
    const observe = observer(options.instrument);
    this.#observe = observe;
    this.#store = boundedStore(store, storeTimeout, (operation, run) =>
      observe({ name: 'store', part: 'assistant', operation }, run),
    );
    this.#policy = guessPolicy(options.policy);
    this.#now = options.now ?? epochSeconds;
    this.#workers = new ExponentiationPool({
      now: this.#now,
      ...options.workers,
      timeLimit: jobTimeLimit(options.workers?.timeLimit, this.#policy),
    });
    this.#operations = operations(options.serve ?? {}, (ticket) => this.#seal(ticket), this.#now);
    this.#allow = options.allow;
    this.#emit = options.onEvent ? safeListener(options.onEvent) : () => {};
    this.#newIds = new AddressBudget({
      limit: options.newIdsPerHour ?? 300,
      store: this.#store,
      now: this.#now,
    });
    this.#turns = new Turns(this.#now);
    this.#pages = new DisabledPages(this.#store);
    this.#fullPages = new AddressCounter({
      purpose: 'feed',
      limit: FULL_PAGES_PER_MINUTE,
      seconds: 60,
      clock: this.#now,
    });
    this.#unknownIds = new SlowLane('new-ids', this.#store, this.#now);
    this.#disablings = new PacedLimit({
      purpose: 'disable',
      limit: disablesPerMinute,
      seconds: 60,
      store: this.#store,
      now: this.#now,
    });
  }

  /** Prepares the store and starts the worker threads. Requests that come earlier are answered all the same. */
  async init(): Promise<void> {
    await this.#loading;
    await this.#init();
    await this.#startWorkers();
  }

  /** Ends the worker threads; requests in flight are finished, later ones answered `unavailable`. */
  async close(): Promise<void> {
    await this.#workers.close();
  }

  /** Whether the keys are there, the store answers and the worker threads live; never rejects. */
  async health(): Promise<Health> {
    await this.#startWorkers().catch(() => {});
    const store = await this.#store.health().then(
      () => 'ok' as const,
      () => 'unavailable' as const,
    );
    const { status: workers } = this.#workers;
    const isOk =
      this.#keys !== undefined &&
      store === 'ok' &&
      (workers.workers > 0 || !this.#operations.needExponentiator);
    return { status: isOk ? 'ok' : 'unavailable', store, workers };
  }

  /** What the worker threads are doing. */
  get workers(): ExponentiationPoolStatus {
    return this.#workers.status;
  }

  /**
   * The answer to `GET keys`.
   *
   * @throws RoamingKeyError `unavailable` while the promise of the keys is pending
   */
  keys(): { readonly keys: readonly object[] } {
    return this.#keySet.jwks();
  }

  /**
   * Waits for the promise of the keys, but not for good.
   *
   * @throws RoamingKeyError `unavailable` where it rejects, or takes longer than ten seconds
   */
  async ready(): Promise<void> {
    if (this.#keys) return;
    try {
      await inTime(this.#loading, KEYS_TIMEOUT);
    } catch (cause) {
      throw new RoamingKeyError('unavailable', 'the keys are not there', { cause });
    }
  }

  async #load(keys: Promise<KeySet>): Promise<void> {
    const loaded = await keys;
    assertKeys(loaded);
    this.#keys = loaded;
  }

  get #keySet(): KeySet {
    if (!this.#keys) throw new RoamingKeyError('unavailable', 'the keys are not there yet');
    return this.#keys;
  }

  /**
   * The answer to `POST assist`: the seven steps of docs/protocol.md section 4, in order.
   *
   * @throws RoamingKeyError with any code that travels; once the request could be opened, with `response`
   */
  async assist(body: unknown, context: RequestContext = {}): Promise<{ readonly response: string }> {
    try {
      const step: AssistStep = { name: 'assist' };
      return await this.#observe(step, () => this.#assist(body, context, step));
    } catch (error) {
      throw this.#report(error, context);
    }
  }

  async #assist(
    body: unknown,
    { address }: RequestContext,
    step: AssistStep,
  ): Promise<{ readonly response: string }> {
    if (!this.#keys) await this.ready();
    // 1. Parse.
    const parsed = v.safeParse(ASSIST_BODY, body, { abortEarly: true });
    if (!parsed.success) throw malformed(parsed.issues[0], 'ticket, request and mac expected');
    const { ticket: tau, request: gamma, mac } = parsed.output;
    const sealed = parseSealed(tau, 'rk-ticket+jwe');
    if (!sealed) throw badTicket();

    // 2. The ticket.
    const turn = this.#turns.take({ address: address ?? '' });
    if (turn) await turn;
    const visit = this.#workers.visit(address);
    const { ticket, share, key, isRetiring } = await this.#observe({ name: 'openTicket' }, () =>
      this.#openTicket(sealed, {
        exponentiator: observed(visit, POOL_STEPS, this.#observe),
        ed25519: sodiumEd25519,
      }),
    );
    step.scheme = ticket.scheme;

    // 3. The device's MAC. A request that fails here counts against no ticket.
    const expected = createHmac('sha256', ticket.a).update(macInput(gamma, tau)).digest();
    if (!timingSafeEqual(expected, mac))
      throw new RoamingKeyError('bad_mac', 'the MAC does not belong to this ticket');

    // 4. The request.
    const jwe = parseSealed(gamma, 'rk-request+jwe');
    const payload = jwe && matchesKey(jwe, key.jwk) ? await openSealed(jwe, key.unwrap) : undefined;
    const read = payload && readRequest(payload);
    if (!read) throw new RoamingKeyError('invalid_request', 'the request cannot be opened');
    const { frame, request } = read;
    step.op = frame.op;
    const dialogue = new Dialogue(frame, this.#now);
    try {
      if (!request)
        throw new RoamingKeyError('invalid_request', 'the request has members missing, wrong or unknown');
      const id = stateId(ticket, sha256);
      const about = { id, u: toBase64url(ticket.u), op: request.op, scheme: ticket.scheme, address };
      const compute = await this.#checkRequest(request, { ticket, share, tau, gamma }, about);

      const enter = () => {
        if (this.#operations.exponentiates(request, ticket)) this.#enter(visit, about);
      };
      enter();

      // 5. Reserve, before the password is looked at.
      const reservation = { id, jti: toBase64url(request.jti), policy: this.#policy };
      const asked = { ...reservation, u: about.u, seenUntil: request.iat + REPLAY_WINDOW };
      let reserved = await this.#store.reserve({ ...asked, admitNew: this.#hasRoom(address) });
      if (reserved.answer === 'new') {
        visit.leave();
        await this.#passSlowLane(about);
        enter();
        reserved = await this.#store.reserve({ ...asked, admitNew: true });
      }
      this.#passReservation(reserved, about);

      // 6. The password.
      if (!timingSafeEqual(request.beta, ticket.b)) {
        const { isNew, attemptsLeft, retryAt } = await this.#store.fail(reservation);
        this.#emit({ type: 'wrongPassword', attemptsLeft, retryAt, ...about });
        if (isNew) await this.#spendNewId(address);
        throw new RoamingKeyError('wrong_password', 'the password is wrong', {
          attemptsLeft,
          ...(retryAt !== undefined && { retryAt }),
        });
      }

      // 7. Help, then settle; the result leaves only if no mark was set meanwhile. Whatever fails, the reservation ends.
      const { op } = request;
      let result: object;
      let renewed: object | undefined;
      let settled: SettleAnswer;
      try {
        // Never longer than a reservation lives.
        const turn = this.#turns.take({ address: address ?? '', patience: PATIENCE });
        if (turn) await turn;
        result = await compute();
        if (isRetiring && isRenewed(op)) renewed = await this.#seal(ticket);
        settled = await this.#store.settle({
          ...reservation,
          u: about.u,
          retire: op === 'retire',
          reissue: op === 'reissue',
          remember: this.#hasRoom(address),
        });
      } catch (error) {
        await this.#store.release(reservation);
        throw error;
      }
      const { failedSince, lastUsed, reissues, isNew } = this.#passSettling(settled, about);
      this.#emit({ type: 'assisted', failedSince, lastUsed, renewed: renewed !== undefined, ...about });
      if (op === 'retire') this.#emit({ type: 'retired', ...about });
      if (op === 'reissue') this.#emit({ type: 'reissued', count: (reissues?.count ?? 0) + 1, ...about });
      // Anyone can make tickets, and the store keeps these. The step is done: a failure to count it is reported, not thrown.
      if (isNew || op === 'retire' || (op === 'reissue' && !reissues))
        await this.#spendNewId(address).catch((error) => this.#report(error, { address }));
      const more = { ...(reissues && { reissues }), ...(renewed && { renewed }) };
      return { response: dialogue.answer({ ...result, failedSince, lastUsed, ...more }) };
    } catch (error) {
      throw dialogue.refuse(toRoamingKeyError(error));
    } finally {
      visit.leave();
      dialogue.end();
      wipe(payload, ...byteMembers(ticket), ...byteMembers(request));
    }
  }

  /**
   * The answer to `POST disable`: marks the key whose disabling secret is shown.
   *
   * @throws RoamingKeyError `invalid_request`, `unknown_key`, `busy`, or `unavailable` when the mark may not be durable
   */
  disable(body: unknown, context: RequestContext = {}): Promise<{ readonly response: string }> {
    return this.#observe({ name: 'disable' }, () => this.#disable(body, context));
  }

  async #disable(body: unknown, context: RequestContext): Promise<{ readonly response: string }> {
    try {
      const parsed = v.safeParse(DISABLE_BODY, body, { abortEarly: true });
      if (!parsed.success) throw malformed(parsed.issues[0], 'request expected');
      const jwe = parseSealed(parsed.output.request, 'rk-disable+jwe');
      if (!jwe) throw new RoamingKeyError('invalid_request', 'the request cannot be opened');
      if (!this.#keys) await this.ready();
      const { key } = this.#findKey(jwe);
      const payload = matchesKey(jwe, key.jwk) ? await openSealed(jwe, key.unwrap) : undefined;
      const request = payload && readPayload(payload, DISABLE_REQUEST);
      wipe(payload);
      if (!request) throw new RoamingKeyError('invalid_request', 'the request cannot be opened');
      const u = toBase64url(disablingName(request.t));
      const { isNew } = await this.#mark({ u, t: toBase64url(request.t) }, context);
      this.#emit({ type: 'disabled', u, isNew, ...context });
      const response = { v: 1, op: 'disable', disabled: true, now: this.#now() };
      return { response: sealResponse(response, request.rho) };
    } catch (error) {
      throw this.#report(error, context);
    }
  }

  /**
   * The answer to `GET disabled`: disabling secrets in the order in which they were shown.
   *
   * Shorter pages than full ones are not limited: once it has read the list, a relying party asks for no others.
   *
   * @param after the cursor of the page before; empty or absent for the first page
   * @throws RoamingKeyError `busy`, `unavailable`
   */
  async disabledFeed(after = '', context: RequestContext = {}): Promise<ServedPage> {
    try {
      const page = await this.#pages.after(after);
      if (page.isFull && context.address !== undefined) await this.#countPage(context.address);
      return page;
    } catch (error) {
      throw this.#report(error, context);
    }
  }

  async #countPage(address: string): Promise<void> {
    const { count, retryAt } = await this.#fullPages.count(address, 1);
    if (count > FULL_PAGES_PER_MINUTE)
      throw new RoamingKeyError('busy', 'too many pages of the list of disabled keys', { retryAt });
  }

  async #startWorkers(): Promise<void> {
    if (this.#operations.needExponentiator) await this.#workers.start();
  }

  #findKey(jwe: SealedJwe): { readonly key: AssistantKey; readonly retiring: boolean } {
    const found = this.#keySet.find(jwe.kid);
    if (!found) throw new RoamingKeyError('unknown_key', 'the message is sealed to a key that is not here');
    return found;
  }

  /** Marks are permanent and anyone can make them, so a new one takes a token of the address. A repeated mark costs nothing. */
  async #mark(
    mark: { readonly u: string; readonly t: string },
    { address }: RequestContext,
  ): Promise<{ readonly isNew: boolean }> {
    if (address === undefined || (await this.#store.isDisabled([mark.u]))) return this.#store.disable(mark);
    const giveBack = await this.#disablings.take(address, () =>
      this.#emit({ type: 'disablingDelayed', u: mark.u, address }),
    );
    const { isNew } = await this.#store.disable(mark);
    if (!isNew) await giveBack().catch((error) => this.#report(error, { address }));
    return { isNew };
  }

  /** @throws RoamingKeyError `busy` where the pool has no place for the address: before anything is counted, and no error of ours */
  #enter(visit: Visit, about: PolicyRequest): void {
    try {
      visit.enter();
    } catch (error) {
      if (isRoamingKeyError(error, 'busy')) this.#emit({ type: 'busy', ...about });
      throw error;
    }
  }

  /** Whether an address may make the store keep another id. */
  #hasRoom(address: string | undefined): boolean {
    return address === undefined || this.#newIds.hasRoom(address);
  }

  async #spendNewId(address: string | undefined): Promise<void> {
    if (address !== undefined) await this.#newIds.spend(address);
  }

  /** Waits for the turn of an id that is not known, from an address that has made too many of those. */
  async #passSlowLane(about: PolicyRequest): Promise<void> {
    const { op, address = '' } = about;
    try {
      // These leave permanent marks, so they never exceed the budget.
      if (op === 'retire' || op === 'reissue')
        throw new RoamingKeyError('busy', 'too many new ids of this address', { retryAt: this.#now() + 60 });
      this.#emit({ type: 'delayed', ...about });
      await this.#unknownIds.pass(address);
    } catch (error) {
      if (isRoamingKeyError(error, 'busy')) this.#emit({ type: 'busy', ...about });
      throw error;
    }
  }

  async #openTicket(jwe: SealedJwe, engines: Engines): Promise<OpenTicket> {
    const { key, retiring } = this.#findKey(jwe);
    const payload = matchesKey(jwe, key.jwk) ? await openSealed(jwe, key.unwrap) : undefined;
    const ticket = payload && readTicket(payload);
    wipe(payload);
    if (!ticket) throw badTicket();
    if (ticket.exp !== undefined && ticket.exp <= this.#now()) {
      throw new RoamingKeyError('bad_ticket', 'the ticket has expired');
    }
    const share = await this.#operations.openShare(ticket, engines);
    return { ticket, share, key, isRetiring: retiring };
  }

  async #checkRequest(
    request: Request,
    { ticket, share, tau, gamma }: Received,
    about: PolicyRequest,
  ): Promise<Computation> {
    if (!timingSafeEqual(ticketHash(tau, sha256), request.th)) {
      throw new RoamingKeyError('bad_mac', 'the request belongs to another ticket');
    }
    if (Math.abs(this.#now() - request.iat) > MAX_CLOCK_SKEW) {
      throw new RoamingKeyError('stale_request', "the device's clock is wrong");
    }
    const compute = this.#operations.read(request, ticket, share, gamma);
    if (this.#allow && !(await this.#allow({ ...about }))) {
      this.#emit({ type: 'refusedByPolicy', ...about });
      throw new RoamingKeyError('refused', 'refused by this server');
    }
    return compute;
  }

  #passReservation(reserved: ReserveAnswer, about: PolicyRequest): void {
    switch (reserved.answer) {
      case 'reserved':
        return;
      case 'disabled':
      case 'retired':
        throw this.#marked(reserved.answer, about);
      case 'replayed':
        this.#emit({ type: 'replayed', ...about });
        throw new RoamingKeyError('replayed', 'this request was sent before');
      case 'locked': {
        const { retryAt } = reserved;
        this.#emit({ type: 'locked', retryAt, ...about });
        throw new RoamingKeyError('locked', 'too many wrong passwords', {
          attemptsLeft: 0,
          ...(retryAt !== undefined && { retryAt }),
        });
      }
      case 'new':
      case 'busy': {
        const retryAt = reserved.answer === 'busy' ? reserved.retryAt : reserved.now + 1;
        this.#emit({ type: 'busy', ...about });
        throw new RoamingKeyError('busy', 'too many requests at a time', { retryAt });
      }
    }
  }

  #passSettling(settled: SettleAnswer, about: PolicyRequest): Omit<Settled, 'answer' | 'now'> {
    if (settled.answer === 'settled') return settled;
    // Another request with the right password has retired the ticket meanwhile.
    if (settled.answer === 'retired' && about.op === 'retire')
      return { failedSince: { count: 0, last: null }, lastUsed: null, isNew: false };
    throw this.#marked(settled.answer, about);
  }

  #marked(mark: 'disabled' | 'retired', about: PolicyRequest): RoamingKeyError {
    this.#emit({ type: mark === 'disabled' ? 'refusedDisabled' : 'refusedRetired', ...about });
    return new RoamingKeyError(mark, mark === 'disabled' ? 'this key is disabled' : 'this ticket is retired');
  }

  /** Seals a ticket to the active key: u stays, so a mark meets every copy. */
  async #seal(ticket: Ticket): Promise<{ readonly ticket: string; readonly key: object }> {
    const { jwk } = this.#keySet.active;
    return { ticket: await seal(ticketPayload(ticket, ticket), 'rk-ticket+jwe', jwk), key: jwk };
  }

  #report(error: unknown, context: RequestContext): RoamingKeyError {
    const known = toRoamingKeyError(error);
    const { code, cause = known } = known;
    if (code === 'unavailable')
      this.#emit({ type: 'unavailable', part: 'assistant', error: cause, ...context });
    else if (REJECTED.has(code)) this.#emit({ type: 'rejected', ...refusalOf(known), ...context });
    return known;
  }
}

function assertKeys(keys: unknown): asserts keys is KeySet {
  if (typeof (keys as Partial<KeySet> | undefined)?.find !== 'function')
    throw wrongOption('keys', 'a KeySet (`await KeySet.file(…)`), or a promise of one', keys);
}

/** How long a job may wait, and again run: both together less than a reservation lives. */
function jobTimeLimit(given: number | undefined, { reservationTimeout }: GuessPolicy): number {
  const longest = Math.ceil(reservationTimeout * 500) - 1;
  if (given !== undefined && given > longest) {
    throw new RangeError(
      `workers.timeLimit must be at most ${longest}, less than half of policy.reservationTimeout, not ${given}`,
    );
  }
  return given ?? Math.min(10_000, longest);
}

/** A retired ticket is never renewed, and a reissued one comes sealed to the active key. */
function isRenewed(op: Operation): boolean {
  return op !== 'retire' && op !== 'reissue';
}

function badTicket(): RoamingKeyError {
  return new RoamingKeyError('bad_ticket', 'the ticket cannot be opened, or is not one');
}

/** A body outside the schema; one that is only too long has a status of its own. */
function malformed(issue: v.BaseIssue<unknown>, message: string): RoamingKeyError {
  const isTooLarge = issue.type === 'max_length' && v.getDotPath(issue) !== 'mac';
  return new RoamingKeyError('invalid_request', message, isTooLarge ? { status: 413 } : {});
}

/** Maps an unexpected failure to `unavailable`, so that the peer learns nothing of it. */
function toRoamingKeyError(error: unknown): RoamingKeyError {
  if (isRoamingKeyError(error) && isWireErrorCode(error.code)) return error;
  return new RoamingKeyError('unavailable', 'the service cannot answer now', { cause: error });
}

function byteMembers(message: object | undefined): Uint8Array[] {
  return Object.values(message ?? {}).filter((member) => member instanceof Uint8Array);
}

/** One request's ρ, op and jti: what an answer needs to be known as the assistant's. */
class Dialogue {
  readonly #frame: ReadRequest['frame'];
  readonly #now: () => number;

  constructor(frame: ReadRequest['frame'], now: () => number) {
    this.#frame = frame;
    this.#now = now;
  }

  answer(members: object): string {
    const { op, jti, rho } = this.#frame;
    return sealResponse({ v: 1, op, jti: toBase64url(jti), ...members }, rho);
  }

  refuse(error: RoamingKeyError): RoamingKeyError {
    const { code, attemptsLeft, retryAt, message, cause, status } = error;
    const response = this.answer({
      code,
      now: this.#now(),
      ...(attemptsLeft !== undefined && { attemptsLeft }),
      ...(retryAt !== undefined && { retryAt }),
    });
    return new RoamingKeyError(code, message, {
      cause,
      status,
      response,
      ...(attemptsLeft !== undefined && { attemptsLeft }),
      ...(retryAt !== undefined && { retryAt }),
    });
  }

  end(): void {
    this.#frame.rho.fill(0);
  }
}
