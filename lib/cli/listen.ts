import type { Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';

/** Resolves once the server listens. */
export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((ready, fail) => {
    server.once('error', fail);
    server.listen(port, host, ready);
  });
}

/** Where the server is reached from this machine. */
export function urlOf(server: Server, mount: string): string {
  const { address, port } = server.address() as AddressInfo;
  const isAny = address === '0.0.0.0' || address === '::';
  const host = isAny ? 'localhost' : isIPv6(address) ? `[${address}]` : address;
  return `http://${host}:${port}${mount.replace(/\/+$/, '')}`;
}
