import { RoamingKeyError } from './errors.ts';

/**
 * Waits for a part of the code that is loaded when it is used.
 *
 * @throws RoamingKeyError `network` where it cannot be had: on a page that was left open over a deployment, whose old
 *   parts are gone from the server, or one that is offline
 *
 * @example
 * const { p256 } = await loaded(import('@noble/curves/nist.js'));
 */
export function loaded<T>(part: Promise<T>): Promise<T> {
  return part.catch((cause: unknown) => {
    const isOffline = globalThis.navigator?.onLine === false;
    const advice = isOffline ? 'this device is offline' : 'reload the page';
    throw new RoamingKeyError('network', `a part of this app could not be loaded: ${advice}`, {
      cause,
    });
  });
}
