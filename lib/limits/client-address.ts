import { isIP } from 'node:net';
import process from 'node:process';
import type { Request } from 'express';

/** The one name of all clients whose address cannot be read. */
const UNKNOWN = 'unknown';
/** How many groups of 16 bits of an IPv6 address name one network: a /48, which one subscriber may have to himself. */
const NETWORK_GROUPS = 3;

/** What is read of a request to learn where it comes from. */
export type AddressedRequest = Pick<Request, 'ip'> & Partial<Pick<Request, 'app' | 'headers' | 'socket'>>;

/**
 * Names where a request comes from: the IPv4 address, or the /48 of the IPv6 address, as one subscriber may have 2^80 of
 * those. Behind a proxy this is the proxy, unless the app has set Express's `trust proxy`; then it is what that proxy says.
 * A header that no trusted proxy has set counts for nothing, and is warned of once.
 */
export function clientAddress(req: AddressedRequest): string {
  warnOfUntrustedProxy(req);
  return networkOf(req.ip ?? '');
}

/** The network of an address in any of the spellings that proxies write. */
export function networkOf(text: string): string {
  // Some proxies add brackets, the port, which the client chooses anew each time, or a zone.
  const [, inBrackets] = /^\[([^\]]*)\](?::\d*)?$/.exec(text) ?? [];
  const [, beforePort] = /^([\d.]+):\d*$/.exec(text) ?? [];
  const address = (inBrackets ?? beforePort ?? text).replace(/%.*$/s, '');
  switch (isIP(address)) {
    case 4:
      return address;
    case 6: {
      const groups = groupsOf(address);
      return embeddedIPv4(groups) ?? networkName(groups);
    }
    default:
      return UNKNOWN;
  }
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const hexadecimal = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a, b, c, d) => `${(256 * a + +b).toString(16)}:${(256 * c + +d).toString(16)}`,
  );
  const [left = [], right = []] = hexadecimal.split('::').map((half) => half.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}

/**
 * The IPv4 address that an IPv6 address stands for: mapped (::ffff:0:0/96), translated (::ffff:0:0:0/96), NAT64
 * (64:ff9b::/96, and 64:ff9b:1::/48 with a /96 in it), 6to4 (2002::/16). Without this, all of IPv4 is one network behind a
 * translator.
 */
function embeddedIPv4(groups: readonly number[]): string | undefined {
  const prefix = groups
    .slice(0, 6)
    .map((group) => group.toString(16))
    .join(':');
  if (groups[0] === 0x2002) return dotted(groups.slice(1, 3));
  const isTranslated = /^(0:0:0:0:0:ffff|0:0:0:0:ffff:0|64:ff9b:0:0:0:0|64:ff9b:1:.*)$/.test(prefix);
  return isTranslated ? dotted(groups.slice(6)) : undefined;
}

function dotted(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 255]).join('.');
}

function networkName(groups: readonly number[]): string {
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  while (network.at(-1) === '0') network.pop();
  return `${network.join(':')}::/${16 * NETWORK_GROUPS}`;
}

const warned = new WeakSet<object>();

/** Where `trust proxy` was forgotten, all clients of a proxy are one address to every limit, and nothing else shows it. */
function warnOfUntrustedProxy({ app, headers, socket }: AddressedRequest): void {
  if (headers?.['x-forwarded-for'] === undefined || !app || warned.has(app)) return;
  const trusts: unknown = app.get('trust proxy fn');
  if (typeof trusts === 'function' && trusts(socket?.remoteAddress, 0)) return;
  warned.add(app);
  process.emitWarning(
    "A request has X-Forwarded-For, but Express's `trust proxy` does not trust the peer that sent it. Behind a proxy, set " +
      '`trust proxy`: until then all clients of that proxy are one address to every limit.',
    'RoamingKeyWarning',
  );
}
