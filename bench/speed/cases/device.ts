import { randomBytes } from 'node:crypto';
import { fromBase64url, toBase64url } from '../../../lib/base/bytes.ts';
import { seal } from '../../../lib/crypto/jwe/jwe.ts';
import { type EnrollOptions, enroll } from '../../../lib/device/enroll.ts';
import { requestMac, requestPayload } from '../../../lib/protocol/messages.ts';
import { verifier } from '../../../lib/protocol/password.ts';
import type { DeviceRecord } from '../../../lib/protocol/record.ts';
import { SCHEMES } from '../../../lib/protocol/schemes/index.ts';

/** A device whose password was stretched beforehand: its cost is the client's, and measured there. */
export interface BenchDevice {
  readonly record: DeviceRecord;
  readonly k: Uint8Array;
}

type Protected = Pick<EnrollOptions, 'scheme' | 'key'>;

/** Enrols a device as any other, but for Argon2id. */
export async function enrolDevice(assistant: string, what: Protected): Promise<BenchDevice> {
  const k = new Uint8Array(randomBytes(32));
  const options = { ...what, assistant, password: 'correct horse', argon2id: async () => k.slice() };
  const { record } = await enroll(options as EnrollOptions);
  return { record, k };
}

/** What a device asks: an exchange, and the request's members in it. */
export type Question =
  Parameters<typeof requestPayload> extends [infer X, infer M, ...unknown[]] ? readonly [X, M] : never;

/** Key retrieval asks for nothing but help. */
export const RETRIEVAL: Question = [SCHEMES.retrieve.exchange, {}];

/** The body of `POST assist`, fresh each time, since no request is answered twice. */
export async function assistBody({ record, k }: BenchDevice, [exchange, members]: Question): Promise<object> {
  const { ticket } = record;
  const payload = requestPayload(exchange, members, {
    beta: verifier(k),
    rho: randomBytes(32),
    iat: Math.floor(Date.now() / 1000),
    jti: randomBytes(16),
    ticket,
  });
  const request = await seal(payload, 'rk-request+jwe', record.assistant.jwk);
  const mac = requestMac(fromBase64url(record.a) as Uint8Array, request, ticket);
  return { ticket, request, mac: toBase64url(mac) };
}
