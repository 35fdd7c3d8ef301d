/**
 * The first step of a login (docs/protocol.md section 8): a number that only the relying party can have issued, that is
 * good for two minutes and for one proof. Nothing is stored until it is used.
 *
 * A challenge is its time of issue (8 bytes, seconds), 16 random bytes, and an HMAC-SHA-256 over a label, the audience
 * and both, in base64url.
 */
import { createHmac } from 'node:crypto';
import type { RequestHandler } from 'express';
import { concat, equalBytes, fromBase64url, toBase64url, utf8 } from '../base/bytes.ts';
import { RoamingKeyError } from '../base/errors.ts';
import { answerJson } from '../http/answer.ts';
import { type ProblemOptions, sendProblem } from '../http/problem.ts';
import { refusalOf } from '../http/tell-refusals.ts';
import { observeHandler } from '../observe/requests.ts';
import { unavailable } from './registered-key.ts';
import { type RelyingParty, type RelyingPartyOptions, relyingParty } from './relying-party.ts';

/** How far the clocks of two machines may be apart, in seconds. */
export const MAX_SKEW = 30;
/** How long a used challenge is remembered beyond its life, for processes whose clocks differ by minutes; seconds. */
const CLAIM_MARGIN = 900;
const LABEL = utf8('roaming-key/1 challenge\0');
const TIME_LENGTH = 8;
const RANDOM_LENGTH = 16;
const BODY_LENGTH = TIME_LENGTH + RANDOM_LENGTH;
const MAC_LENGTH = 32;

/** A challenge that was issued here and is fresh. */
export interface FreshChallenge {
  /** What it is claimed under. */
  readonly name: string;
  /** Until when the claim must be remembered, in seconds since the epoch. */
  readonly claimUntil: number;
}

/** Makes a challenge. Nothing is stored. */
export function makeChallenge(rp: RelyingParty): string {
  const time = new Uint8Array(TIME_LENGTH);
  new DataView(time.buffer).setBigUint64(0, BigInt(rp.now()));
  const body = concat(time, rp.random(RANDOM_LENGTH));
  return toBase64url(concat(body, mac(rp.secrets[0], rp.audience, body)));
}

/**
 * Checks that a challenge was issued here and is fresh.
 *
 * @throws RoamingKeyError `stale_request`, the same for one that is too old and one that was never issued
 */
export function verifyChallenge(rp: RelyingParty, challenge: string): FreshChallenge {
  const bytes = fromBase64url(challenge);
  if (bytes?.length === BODY_LENGTH + MAC_LENGTH) {
    const body = bytes.subarray(0, BODY_LENGTH);
    const given = bytes.subarray(BODY_LENGTH);
    const matches = rp.secrets.map((secret) => equalBytes(given, mac(secret, rp.audience, body)));
    const issued = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
    const age = rp.now() - issued;
    if (matches.includes(true) && age >= -MAX_SKEW && age <= rp.challengeSeconds + MAX_SKEW) {
      const claimUntil = issued + rp.challengeSeconds + MAX_SKEW + CLAIM_MARGIN;
      return { name: `challenge:${toBase64url(body)}`, claimUntil };
    }
  }
  throw new RoamingKeyError('stale_request', 'the challenge is not from here, or no longer fresh');
}

/**
 * Uses a challenge up: of many calls, in many processes, one succeeds.
 *
 * @throws RoamingKeyError `replayed` if it was used before, `unavailable` if the store cannot tell
 */
export async function claimChallenge(rp: RelyingParty, { name, claimUntil }: FreshChallenge): Promise<void> {
  let first: boolean;
  try {
    first = await rp.store.claimOnce({ name, expiresAt: claimUntil });
  } catch (error) {
    throw unavailable('the store cannot claim the challenge', error);
  }
  if (first !== true) throw new RoamingKeyError('replayed', 'the challenge was used before');
}

/** What the challenge handler takes besides the relying party's options. */
export interface ChallengeOptions extends RelyingPartyOptions, Pick<ProblemOptions, 'onError'> {}

/**
 * Express handler for `POST {login}/challenge`: answers `{ challenge, expiresIn, now, audience }`, times in seconds.
 * Answers `invalid_request` (405) to other methods. Nothing is stored, so nothing is limited.
 *
 * @throws TypeError naming the option that is missing or wrong
 * @example
 * app.post('/login/challenge', challenge(options));
 */
export function challenge(options: ChallengeOptions): RequestHandler {
  const rp = relyingParty(options);
  const { onError } = options;
  const problem = onError ? { onError, clock: rp.now } : { clock: rp.now };
  const handle: RequestHandler = (req, res) => {
    if (req.method === 'POST') {
      const { audience, challengeSeconds: expiresIn } = rp;
      answerJson(res, 200, { challenge: makeChallenge(rp), expiresIn, now: rp.now(), audience });
      return;
    }
    res.set('Allow', 'POST');
    const error = new RoamingKeyError('invalid_request', 'POST only', { status: 405, reason: 'method' });
    rp.tell?.({ type: 'rejected', part: 'relyingParty', ...refusalOf(error) }, req);
    sendProblem(req, res, error, problem);
  };
  return observeHandler(rp.observe, 'relyingParty', 'challenge', handle);
}

function mac(secret: Uint8Array, audience: string, body: Uint8Array): Uint8Array {
  return createHmac('sha256', secret)
    .update(concat(LABEL, utf8(audience), new Uint8Array(1), body))
    .digest();
}
