import * as v from 'valibot';
import { fromBase64url, randomBytes, toBase64url, wipe } from '../base/bytes.ts';
import { isRoamingKeyError, RoamingKeyError } from '../base/errors.ts';
import { readPayload } from '../base/json.ts';
import { type AssistantJwk, openDirect } from '../crypto/jwe/jwe.ts';
import { DISABLE_RESPONSE, type DisablingKit, kitFromCode, parseKit } from '../protocol/disabling.ts';
import {
  AssistantClient,
  type AssistantClientOptions,
  asHint,
  sealToPublished,
  systemClock,
} from './assistant-client.ts';
import { send } from './transport.ts';

export interface DisableOptions extends AssistantClientOptions {
  /** The assistant's URL; needed with a code, which does not name it. With a kit it must be the kit's own. */
  readonly assistant?: string;
}

const BODY = v.looseObject({ response: v.string() });

/**
 * Disables a key for good, with the kit (or its printed code) that was kept off the device. Needs neither the device
 * nor the password. Resolves only once the assistant has said, genuinely, that the mark is durable.
 *
 * @param kit the kit, or its code of 29 characters
 * @throws RoamingKeyError `bad_kit`, `bad_response` (no genuine answer: take the key for *not* disabled), `network`,
 *   `busy`, `unavailable`, `unknown_key`
 * @throws TypeError where a code comes without an assistant
 * @source docs/protocol.md section 6
 *
 * @example
 * await disable(kit)
 * await disable('000G4-0R40M-30E20-9185G-R38E1-YZ4A', { assistant: 'https://assistant.example' })
 */
export async function disable(kit: DisablingKit | string, options: DisableOptions = {}): Promise<void> {
  const { url, t } = readKit(kit, options.assistant);
  const client = new AssistantClient(url, options);
  const keys = await client.keys();
  for (const key of keys) {
    const isLast = key === keys.at(-1);
    const isDone = await askToDisable(client, key, t, options).catch((error: unknown) => {
      // Right after a rotation, one of several processes may not have the newest key yet: the next will do.
      if (!isLast && isRoamingKeyError(error, 'unknown_key')) return false;
      throw error;
    });
    if (isDone) return;
  }
}

async function askToDisable(
  client: AssistantClient,
  key: AssistantJwk,
  t: string,
  options: DisableOptions,
): Promise<true> {
  const rho = randomBytes(32);
  try {
    const payload = { v: 1, t, rho: toBase64url(rho), iat: (options.now ?? systemClock)() };
    const request = await sealToPublished(payload, 'rk-disable+jwe', key);
    const { body } = await send(`${client.url}/disable`, { body: { request } }, options).catch((error) => {
      throw asHint(error);
    });
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

function readKit(kit: DisablingKit | string, assistant: string | undefined): { url: string; t: string } {
  if (typeof kit === 'string') {
    if (assistant === undefined) throw new TypeError('assistant must be given with a code');
    return { url: assistant, t: kitFromCode(kit, assistant).t };
  }
  const parsed = parseKit(kit);
  const { url } = parsed.assistant;
  if (assistant !== undefined && new AssistantClient(assistant).url !== new AssistantClient(url).url) {
    throw new RoamingKeyError('bad_kit', 'this kit belongs to another assistant');
  }
  return { url, t: toBase64url(fromBase64url(parsed.t) as Uint8Array) };
}
