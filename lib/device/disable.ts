import * as v from 'valibot';
import { randomBytes, toBase64url, wipe } from '../base/bytes.ts';
import { epochSeconds } from '../base/clock.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { readPayload } from '../base/json.ts';
import { readSecureUrl } from '../base/url.ts';
import { type AssistantJwk, openDirect } from '../crypto/jwe/jwe.ts';
import { DISABLE_RESPONSE, type DisablingKit, parseDisablingCode, parseKit } from '../protocol/disabling.ts';
import {
  AssistantClient,
  type AssistantClientOptions,
  asHint,
  fromNow,
  sealToPublished,
} from './assistant-client.ts';
import { type HttpAnswer, Patience, send } from './transport.ts';

export interface DisableOptions extends AssistantClientOptions {
  /** The assistant's URL; needed with a code. It must be the one that kit or code was made for. */
  readonly assistant?: string;
  /** Whether that assistant is at another URL by now, so that what kit or code say of it is ignored. */
  readonly hasMoved?: boolean;
}

/** Who has confirmed that the key is disabled. */
export interface Disabled {
  /** The assistant that was asked. Say it to the user: an assistant takes the code of any key, and only the key's own counts. */
  readonly assistant: string;
  /** Whether nothing said that it is the key's own: a code of 29 characters, or `hasMoved`. */
  readonly isUnchecked: boolean;
}

const BODY = v.looseObject({ response: v.string() });

/**
 * Disables a key for good, with the kit (or its printed code) that was kept off the device. Needs neither the device
 * nor the password. Resolves only once the assistant has said, genuinely, that the mark is durable. An assistant
 * that is `busy` is asked again within `timeout`.
 *
 * @param kit the kit, or its printed code
 * @throws RoamingKeyError `bad_kit` for a typing error; `wrong_assistant`, before anything is sent, where kit or code
 *   belong to another assistant; `bad_response` (no genuine answer: take the key for *not* disabled), `network`,
 *   `busy`, `unavailable`, `unknown_key`
 * @throws TypeError where a code comes without an assistant
 * @source docs/protocol.md section 6
 *
 * @example
 * await disable(kit)
 * await disable('000G-40R4-0M30-E209-185G-R38E-1ZC1-308J', { assistant: 'https://assistant.example' })
 */
export async function disable(kit: DisablingKit | string, options: DisableOptions = {}): Promise<Disabled> {
  const { url, t, isUnchecked } = readKit(kit, options);
  const client = new AssistantClient(url, options);
  const keys = await client.keys();
  for (const key of keys) {
    const isLast = key === keys.at(-1);
    const isDone = await askToDisable(client, key, t, options).catch((error: unknown) => {
      // Right after a rotation, one of several processes may not have the newest key yet: the next will do.
      if (!isLast && isRoamingKeyError(error, 'unknown_key')) return false;
      throw error;
    });
    if (isDone) break;
  }
  return { assistant: client.url, isUnchecked };
}

async function askToDisable(
  client: AssistantClient,
  key: AssistantJwk,
  t: string,
  options: DisableOptions,
): Promise<true> {
  const rho = randomBytes(32);
  const patience = new Patience(options);
  const post = (request: string): Promise<HttpAnswer> =>
    send(`${client.url}/disable`, { body: { request } }, options).catch(async (error: unknown) => {
      if (isRoamingKeyError(error, 'busy') && (await patience.wait(fromNow(error.retryAt))))
        return post(request);
      throw asHint(error);
    });
  try {
    const payload = { v: 1, t, rho: toBase64url(rho), iat: (options.now ?? epochSeconds)() };
    const request = await sealToPublished(payload, 'rk-disable+jwe', key);
    const { body } = await post(request);
    const answer = v.safeParse(BODY, body);
    const opened = answer.success
      ? await openDirect(answer.output.response, 'rk-response+jwe', rho)
      : undefined;
    if (!opened || !readPayload(opened, DISABLE_RESPONSE)) {
      throw new RoamingKeyError('bad_response', 'the assistant did not confirm that the key is disabled');
    }
    return true;
  } finally {
    wipe(rho);
  }
}

function readKit(
  kit: DisablingKit | string,
  { assistant, hasMoved = false }: DisableOptions,
): { readonly url: string; readonly t: string; readonly isUnchecked: boolean } {
  if (typeof kit === 'string') {
    if (assistant === undefined) throw new TypeError('assistant must be given with a code');
    const { t, isOld } = parseDisablingCode(kit, hasMoved ? undefined : assistant);
    return { url: assistant, t: toBase64url(t), isUnchecked: isOld || hasMoved };
  }
  const parsed = parseKit(kit);
  const { url: own } = parsed.assistant;
  const url = assistant ?? own;
  if (!hasMoved && readSecureUrl(url) !== readSecureUrl(own))
    throw new RoamingKeyError('wrong_assistant', `this kit belongs to a key at ${own}, not at ${url}`);
  return { url, t: parsed.t, isUnchecked: hasMoved };
}
