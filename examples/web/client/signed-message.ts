/** Signed messages: compact JWS (RFC 7515), which any JOSE library checks as well. */
import { ask, type KnownKey } from './api.ts';

/** A message as it claims to be. */
export interface SignedMessage {
  readonly by: string;
  readonly at: number;
  readonly text: string;
  readonly kid: string;
  readonly input: string;
  readonly signature: Uint8Array<ArrayBuffer>;
}

export interface Verdict extends SignedMessage {
  readonly isGenuine: boolean;
  /** Why not. */
  readonly reason: string;
  /** Whether its key is disabled by now. */
  readonly isDisabled: boolean;
}

/** Takes a message apart; `undefined` where it is none. Says nothing about whether it is genuine. */
export function readSigned(text: string): SignedMessage | undefined {
  const [head = '', body = '', signature = '', ...rest] = text.replace(/\s/g, '').split('.');
  try {
    const { alg, typ, kid } = JSON.parse(decode(head));
    const { by, at, text: message } = JSON.parse(decode(body));
    if (rest.length > 0 || alg !== 'PS256' || typ !== 'inkwell-message') return undefined;
    if (
      typeof by !== 'string' ||
      typeof message !== 'string' ||
      typeof kid !== 'string' ||
      !Number.isSafeInteger(at)
    )
      return undefined;
    return { by, at, text: message, kid, input: `${head}.${body}`, signature: bytes(signature) };
  } catch {
    return undefined;
  }
}

/** Checks it with the keys that its author has published. */
export async function verifySigned(message: SignedMessage): Promise<Verdict> {
  const { by, kid, input, signature } = message;
  const { keys } = await ask<{ keys: KnownKey[] }>(`/api/people/${encodeURIComponent(by)}/keys`);
  const found = keys.find(({ purpose, jkt }) => purpose === 'sign' && jkt === kid);
  if (!found)
    return {
      ...message,
      isGenuine: false,
      isDisabled: false,
      reason: `“${by}” has published no such key: somebody else may have signed this.`,
    };
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey(
    'jwk',
    { kty: 'RSA', n: found.jwk.n ?? '', e: String(found.jwk['e']) },
    algorithm,
    false,
    ['verify'],
  );
  const isGenuine = await crypto.subtle.verify(
    { name: 'RSA-PSS', saltLength: 32 },
    key,
    signature,
    new TextEncoder().encode(input),
  );
  const reason = isGenuine
    ? ''
    : 'Text and signature do not belong together: something was changed after it was signed.';
  return { ...message, isGenuine, reason, isDisabled: found.isDisabled };
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64url.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
}

function decode(base64url: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes(base64url));
}
