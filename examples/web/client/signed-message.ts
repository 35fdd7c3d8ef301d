/** Signed messages: a compact JWS (RFC 7515), shown as text that anybody can read. */
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

/** What a message looks like: its text, and below it who signed, when, with which key. */
const FORM =
  /^([\s\S]*)\n\n— signed by (\S+), (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\nkey ([\w-]{43})\n([\w-]+)\s*$/;

/** Writes a compact JWS as text that people can read and change. */
export function writeSigned(jws: string): string {
  const [head = '', body = '', signature = ''] = jws.split('.');
  const { kid } = JSON.parse(decode(head));
  const { by, at, text } = JSON.parse(decode(body));
  const when = new Date(at * 1000).toISOString().replace('.000Z', 'Z');
  return `${text}\n\n— signed by ${by}, ${when}\nkey ${kid}\n${signature}`;
}

/** Takes a message apart; `undefined` where it is none. Says nothing about whether it is genuine. */
export function readSigned(typed: string): SignedMessage | undefined {
  const [, text, by, when = '', kid = '', signature = ''] = FORM.exec(typed.replace(/\r\n/g, '\n')) ?? [];
  const at = Date.parse(when) / 1000;
  if (text === undefined || by === undefined || Number.isNaN(at)) return undefined;
  // What is signed is a JWS of these members, in this order.
  const input = [
    { kid, typ: 'inkwell-message', alg: 'Ed25519' },
    { by, at, text },
  ].map((part) => encode(JSON.stringify(part)));
  return { by, at, text, kid, input: input.join('.'), signature: bytes(signature) };
}

/** Checks it with the keys that its author has published. */
export async function verifySigned(message: SignedMessage): Promise<Verdict> {
  const { by, kid, input, signature } = message;
  const { keys } = await ask<{ keys: KnownKey[] }>(`/data/people/${encodeURIComponent(by)}/keys`);
  const found = keys.find(({ purpose, jkt }) => purpose === 'sign' && jkt === kid);
  if (!found)
    return {
      ...message,
      isGenuine: false,
      isDisabled: false,
      reason: `“${by}” has published no such key: somebody else may have signed this.`,
    };
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: String(found.jwk['x']) };
  const key = await crypto.subtle.importKey('jwk', jwk, 'Ed25519', false, ['verify']);
  const isGenuine = await crypto.subtle.verify('Ed25519', key, signature, new TextEncoder().encode(input));
  const reason = isGenuine
    ? ''
    : 'Text and signature do not belong together: something was changed after it was signed.';
  return { ...message, isGenuine, reason, isDisabled: found.isDisabled };
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64url.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
}

function encode(text: string): string {
  const binary = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

function decode(base64url: string): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes(base64url));
}
