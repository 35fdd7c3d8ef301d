/** The app's own routes, with the same errors as everything else. */
import { type ErrorCode, RoamingKeyError } from 'passport-roaming-key/device';
import { io } from './runs.ts';

export type Purpose = 'login' | 'sign' | 'notes';

/** A key as the app knows it. */
export interface KnownKey {
  readonly jkt: string;
  readonly purpose: Purpose;
  readonly jwk: {
    readonly kty: string;
    readonly crv?: string;
    readonly [member: string]: unknown;
  };
  readonly at: number;
  readonly isDisabled: boolean;
}

export interface Me {
  readonly account: string | null;
  readonly now: number;
  readonly since: number;
  readonly jkt?: string;
  readonly sessions: number;
  readonly keys: readonly KnownKey[];
}

export interface Note {
  readonly id: number;
  readonly from: string;
  readonly jwe: string;
  readonly at: number;
  /** Thumbprint of the key that it was sealed for. */
  readonly key: string;
}

interface Options {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: object;
}

/**
 * Asks the app.
 *
 * @throws RoamingKeyError `network` without an answer, else the code of the app's problem
 */
export async function ask<T>(
  path: string,
  { body, method = body ? 'POST' : 'GET' }: Options = {},
): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await io.fetch(`${location.origin}${path}`, {
      method,
      headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      credentials: 'same-origin',
      signal: AbortSignal.timeout(20_000),
    });
    text = await response.text();
  } catch (cause) {
    const message = navigator.onLine ? `no answer from ${location.origin}` : 'this device is offline';
    throw new RoamingKeyError('network', message, { cause });
  }
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T;
  throw problem(response, text);
}

function problem(response: Response, text: string): RoamingKeyError {
  let told: { code?: ErrorCode; title?: string } = {};
  try {
    told = JSON.parse(text);
  } catch {
    // Something between this page and the app has answered.
  }
  const { code = 'unavailable', title = `the app answered ${response.status}` } = told;
  return new RoamingKeyError(code, title, { status: response.status });
}

/** Who is logged in here. */
export async function me(): Promise<Me> {
  return ask<Me>('/data/me');
}
