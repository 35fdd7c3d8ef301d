/** The assistant's published keys, `GET {assistant}/keys` (docs/protocol.md section 4). */
import * as v from 'valibot';
import { type AssistantJwk, readAssistantJwk } from '../crypto/jwe/jwe.ts';

const LIST = v.looseObject({ keys: v.pipe(v.array(v.unknown()), v.maxLength(100)) });

/**
 * Reads the body of the list: the active key first, each with its own members only. Keys of unknown kinds are skipped, so
 * that assistants can offer newer ones.
 *
 * @returns no key where the body is not such a list
 */
export async function readKeyList(body: unknown): Promise<readonly AssistantJwk[]> {
  const list = v.safeParse(LIST, body);
  const keys = list.success ? await Promise.all(list.output.keys.map(readListed)) : [];
  return keys.filter((key) => key !== undefined);
}

async function readListed(value: unknown): Promise<AssistantJwk | undefined> {
  const { kty, crv, x, y, n, e, kid, use, alg } = Object(value) as Record<string, unknown>;
  const known = Object.entries({ kty, crv, x, y, n, e, kid, use, alg });
  const jwk = await readAssistantJwk(Object.fromEntries(known.filter(([, member]) => member !== undefined)));
  if (!jwk) return undefined;
  const { use: _use, alg: _alg, ...bare } = jwk;
  return bare;
}
