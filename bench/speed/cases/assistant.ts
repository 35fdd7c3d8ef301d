import { createECDH, randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import { toBase64url } from '../../../lib/base/bytes.ts';
import { ASSISTANT_JWK, seal } from '../../../lib/crypto/jwe/jwe.ts';
import { findGroup } from '../../../lib/math/groups.ts';
import { commitEd25519 } from '../../../lib/protocol/schemes/ed25519-signing.ts';
import { SCHEMES } from '../../../lib/protocol/schemes/index.ts';
import type { AssistantAppOptions } from '../apps/assistant.ts';
import { MeasuredServer } from '../measured-server.ts';
import { type Case, many, prepared } from './case.ts';
import { assistBody, enrolDevice, type Question, RETRIEVAL } from './device.ts';

/** How many devices take turns, so that nothing is gained by knowing the last one. */
const DEVICES = 20;

/** `sqlite:` with a new file. */
export function newSqlite(): string {
  return `sqlite:${path.join(mkdtempSync(path.join(tmpdir(), 'rk-bench-')), 'store.db')}`;
}

interface AssistOptions {
  readonly name: string;
  readonly batch: number;
  readonly app: () => AssistantAppOptions;
  readonly key?: Parameters<typeof enrolDevice>[1];
  readonly devices?: number;
  readonly question: () => Question;
  readonly pinned?: boolean;
}

/** One kind of help. */
export function assistCase({
  name,
  batch,
  app,
  key = { scheme: 'retrieve' },
  devices: count = DEVICES,
  question,
  pinned = true,
}: AssistOptions): Case {
  return {
    name,
    batch,
    async start() {
      const server = await MeasuredServer.start('assistant', { app: app(), pinned });
      const url = `${server.origin}/assistant`;
      const devices = await many(count, () => enrolDevice(url, key));
      return {
        server,
        async run(times, send) {
          const requests = await many(times, async (i) =>
            prepared(
              '/assistant/assist',
              await assistBody(devices[i % count] as (typeof devices)[0], question()),
            ),
          );
          await send(requests);
        },
      };
    },
  };
}

/** Key retrieval, the ordinary unlock. */
export function unlockCase(
  name: string,
  app: () => AssistantAppOptions,
  { pinned = true }: { readonly pinned?: boolean } = {},
): Case {
  return assistCase({ name, batch: 1200, app, question: () => RETRIEVAL, pinned });
}

/** A signature by a shared RSA key, which each device has had for a while. */
export function signCase(bits: 2048 | 3072): Case {
  return assistCase({
    name: `shared RSA-${bits} signature`,
    batch: bits === 2048 ? 150 : 60,
    app: () => ({ store: 'memory:' }),
    key: { scheme: 'rsa', key: `RSA-${bits}` },
    devices: 8,
    question: rsaQuestion,
  });
}

/** A digest to sign. */
export function rsaQuestion(): Question {
  return [SCHEMES.rsa.exchange, { alg: 'PS256', digest: randomBytes(32), salt: randomBytes(32) }];
}

/** A signature by a shared Ed25519 key. */
export function signEd25519Case(): Case {
  return assistCase({
    name: 'shared Ed25519 signature, SQLite',
    batch: 600,
    app: () => ({ store: newSqlite() }),
    key: { scheme: 'ed25519' },
    question: ed25519Question,
  });
}

/** A login proof's length to sign, and commitments as a device makes them. */
export function ed25519Question(): Question {
  return [SCHEMES.ed25519.exchange, { ...commitEd25519(randomBytes(48), randomBytes(160)).request }];
}

/** A decryption by a shared ElGamal key. */
export function decryptCase(key: 'P-256' | 'ffdhe2048'): Case {
  return assistCase({
    name: `shared ElGamal decryption, ${key}`,
    batch: key === 'P-256' ? 200 : 30,
    app: () => ({ store: 'memory:' }),
    key: { scheme: 'elgamal', key },
    devices: 8,
    question: () => [SCHEMES.elgamal.exchange, { w: key === 'P-256' ? curvePoint() : groupElement(key) }],
  });
}

function curvePoint(): Uint8Array {
  return createECDH('prime256v1').generateKeys();
}

function groupElement(name: string): Uint8Array {
  const group = findGroup(name);
  if (!group) throw new Error(`there is no group ${name}`);
  return group.encode(group.exp(group.generator, BigInt(`0x${randomBytes(32).toString('hex')}`)));
}

/** Disabling keys, each for the first time. */
export function disableCase(): Case {
  return {
    name: 'disable, SQLite',
    batch: 100,
    async start() {
      const server = await MeasuredServer.start('assistant', { app: { store: newSqlite() } });
      const { keys } = (await (await fetch(`${server.origin}/assistant/keys`)).json()) as { keys: unknown[] };
      const jwk = v.parse(ASSISTANT_JWK, keys[0]);
      return {
        server,
        async run(times, send) {
          const requests = await many(times, async () => {
            const [t, rho] = [toBase64url(randomBytes(16)), toBase64url(randomBytes(32))];
            const payload = { v: 1, t, rho, iat: Math.floor(Date.now() / 1000) };
            return prepared('/assistant/disable', { request: await seal(payload, 'rk-disable+jwe', jwk) });
          });
          await send(requests);
        },
      };
    },
  };
}

/** The store's part of an unlock: a reservation and a settlement. What HTTP adds is shared by all of a round. */
export function storeCase(): Case {
  return {
    name: 'reserve and settle, SQLite',
    batch: 1200,
    async start() {
      const server = await MeasuredServer.start('store', { app: { store: newSqlite() } });
      return {
        server,
        async run(times, send) {
          await send([prepared('/steps', { times })]);
        },
      };
    },
  };
}

/** One exponentiation on the thread that answers; what HTTP adds is shared by all of a round. */
export function floorCase(): Case {
  return {
    name: 'one exponentiation, 2048 bits',
    batch: 80,
    async start() {
      const server = await MeasuredServer.start('floor');
      return {
        server,
        async run(times, send) {
          await send([prepared('/powers', { times })]);
        },
      };
    },
  };
}

/** Express alone, with the very bodies of an unlock. */
export function echoCase(): Case {
  return {
    name: 'Express echo of the same size',
    batch: 3000,
    async start() {
      const assistant = await MeasuredServer.start('assistant', { app: { store: 'none' } });
      const device = await enrolDevice(`${assistant.origin}/assistant`, { scheme: 'retrieve' });
      await assistant.stop();
      const request = prepared('/echo', await assistBody(device, RETRIEVAL));
      const server = await MeasuredServer.start('echo');
      return {
        server,
        async run(times, send) {
          await send(Array.from({ length: times }, () => request));
        },
      };
    },
  };
}
