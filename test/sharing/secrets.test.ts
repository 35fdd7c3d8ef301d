/**
 * What a shared key's life leaves behind: nothing of the key, of either share, of a partial result. The keys are
 * imported, so that every number is known here, and searched for in every place and every spelling.
 */
import { createECDH, createPrivateKey, type JsonWebKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CompactEncrypt, importJWK } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openDirect } from '../../lib/crypto/jwe/jwe.ts';
import { disable } from '../../lib/device/disable.ts';
import { encryptTo } from '../../lib/device/encrypt-to.ts';
import { type AnyGroup, findGroup } from '../../lib/math/groups.ts';
import { i2osp, os2ip } from '../../lib/math/integer.ts';
import { verifier } from '../../lib/protocol/password.ts';
import { SqliteStore } from '../../lib/store/sqlite.ts';
import { b64, openAsAssistant, post } from '../attacks/support.ts';
import { captureOutput, filesOf, hay, holds, type Secret, text, toBytes } from '../support/secrets.ts';
import { PASSWORD, startAssistant } from '../support/world.ts';
import { bytes, deviceOf, enrolElgamal, enrolRsa, number, rsaKey, shareBytes, stretch } from './support.ts';

/** Runs it for whoever comes first; the others get what came of it. */
function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}

describe('the search', () => {
  it('finds a number in every spelling, in the middle of others, and nothing where there is nothing', () => {
    const secret = number(rsaKey('rsa2048').jwk.p);
    const raw = toBytes(secret);
    const b64url = Buffer.from(raw).toString('base64url');
    const places = [
      Buffer.concat([Buffer.from('x'), raw]),
      Buffer.from(Buffer.from(raw).reverse()),
      Buffer.from(`"${b64url}"`),
      Buffer.from(`"${Buffer.from(raw).toString('base64')}"`),
      Buffer.from(Buffer.from(JSON.stringify({ p: b64url })).toString('base64url')),
      Buffer.from(secret.toString()),
      Buffer.from(`0x${secret.toString(16)}`),
      Buffer.from(secret.toString(16).toUpperCase()),
      Buffer.from(`0${secret.toString(16)}`),
      Buffer.from(Buffer.from(raw).toString('hex').replace(/../g, '$& ')),
      Buffer.from(JSON.stringify([...raw])),
      Buffer.from(JSON.stringify(new Uint8Array(raw))),
      Buffer.from(JSON.stringify(Buffer.from(raw))),
      text(new Uint8Array(raw)),
      text({ deep: { down: Buffer.from(raw) } }),
      text(new Map([['key', secret.toString()]])),
      Buffer.from(raw).subarray(40, 90),
    ];
    for (const [i, place] of places.entries()) expect(holds(hay(place), secret), `spelling ${i}`).toBe(true);
    const others = Buffer.concat(places);
    expect(holds(hay(others), number(rsaKey('rsa2048').jwk.q))).toBe(false);
  });
});

describe('after enrolment, operations of every kind, every kind of error, and disabling', () => {
  const secrets: Secret[] = [];
  const sealedOnly: Secret[] = [];
  const places = new Map<string, ReturnType<typeof hay>>();
  const opened: Buffer[] = [];
  let operations = 0;

  const life = once(async () => {
    const written = captureOutput();
    const folder = mkdtempSync(path.join(tmpdir(), 'rk-sharing-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const store = new SqliteStore(path.join(folder, 'store.db'));
    const world = await startAssistant({
      store,
      workers: { size: 1 },
      onError: (error) => console.error(error),
      onEvent: (event) => {
        world.events.push(event);
        console.log(event);
      },
    });
    const key = rsaKey('rsa2048');
    const ecdh = createECDH('prime256v1');
    ecdh.generateKeys();
    const point = ecdh.getPublicKey();
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString('base64url'));
    const ec = {
      kty: 'EC',
      crv: 'P-256',
      x,
      y,
      d: b64(i2osp(os2ip(ecdh.getPrivateKey()), 32)),
    } as JsonWebKey;

    const rsa = await enrolRsa(world, key);
    const elgamal = await enrolElgamal(world, {
      existing: createPrivateKey({ key: ec, format: 'jwk' })
        .export({ format: 'pem', type: 'pkcs8' })
        .toString(),
    });
    const field = await enrolElgamal(world, 'ffdhe2048');
    const signer = deviceOf(world, rsa.record);
    const [reader, fieldReader] = [deviceOf(world, elgamal.record), deviceOf(world, field.record)];
    const errors: unknown[] = [];
    const failing = (promise: Promise<unknown>) =>
      promise.then(
        () => expect.unreachable(),
        (error: unknown) => void errors.push(error),
      );

    const data = new TextEncoder().encode('a document');
    for (const alg of ['PS256', 'RS512'] as const) await signer.sign(data, { alg, password: PASSWORD });
    await signer.unlockShared(PASSWORD);
    await signer.sign({ digest: new Uint8Array(48).fill(7) }, { alg: 'RS384' });
    const jwe = await new CompactEncrypt(data)
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM' })
      .encrypt(await importJWK({ ...reader.jwk }, 'ECDH-ES+A256KW'));
    await reader.decrypt(jwe, { password: PASSWORD });
    const frame = await encryptTo(fieldReader.jwk, data);
    await fieldReader.decrypt(frame, { password: PASSWORD });
    await failing(signer.sign(data, { password: 'wrong' }));
    await failing(reader.decrypt(jwe, { password: 'wrong' }));
    await failing(signer.unlock(PASSWORD));
    await failing(signer.exportPrivateKey(PASSWORD, 'jwk'));
    await failing(reader.decrypt(`${jwe.slice(0, -4)}AAAA`, { password: PASSWORD }));
    await failing(reader.decrypt(jwe.replace('.', '.A'), { password: PASSWORD }));
    await post(world, '/assist', { ticket: rsa.record.ticket, request: 'x', mac: 'y' });
    const release = vi.spyOn(store, 'settle').mockRejectedValueOnce(new Error('SQLITE_IOERR'));
    await failing(signer.sign(data, { password: PASSWORD }));
    release.mockRestore();
    // A renewed ticket goes back to the device.
    await world.keys.rotate();
    await signer.sign(data, { alg: 'PS384', password: PASSWORD });
    await reader.decrypt(jwe, { password: PASSWORD });
    for (const { kit } of [rsa, elgamal, field]) await disable(kit, { fetch: world.fetch });
    await failing(signer.sign(data, { password: PASSWORD }));
    await failing(reader.decrypt(jwe, { password: PASSWORD }));
    await world.fetch(`${world.url}/disabled`);
    await world.fetch(`${world.url}/health`);
    const storeFiles = filesOf(folder);
    await store.close();

    // What there was, as only a test knows it that has the assistant's key, the password and the keys.
    const f = await shareBytes(rsa.record, key.length);
    const [pTicket, eTicket, fTicket] = await Promise.all(
      [rsa, elgamal, field].map(({ record }) => openAsAssistant(world.keys, record.ticket, 'rk-ticket+jwe')),
    );
    const p256 = findGroup('P-256') as AnyGroup;
    const ffdhe = findGroup('ffdhe2048') as AnyGroup;
    const sharesIn = async (group: AnyGroup, record: typeof elgamal.record, ticket: typeof eTicket) => {
      const x1 = os2ip(await shareBytes(record, group.scalarLength)) % group.q;
      const x2 = number(ticket?.['x2']);
      const y2 = group.encode(group.exp(group.generator, x2));
      return { x1, x2, y2, whole: (x1 + x2) % group.q };
    };
    const curve = await sharesIn(p256, elgamal.record, eTicket);
    const finite = await sharesIn(ffdhe, field.record, fTicket);
    expect(curve.whole).toBe(os2ip(ecdh.getPrivateKey()));
    const d2 = number(pTicket?.['d2']);
    expect((os2ip(f) + d2 - key.d) % key.phi).toBe(0n);
    const [dp, dq, qi] = [key.jwk.dp, key.jwk.dq, key.jwk.qi].map(number) as [bigint, bigint, bigint];
    secrets.push(
      ['d', key.d],
      ['d mod phi', (os2ip(f) + d2) % key.phi],
      ['d1', os2ip(f)],
      ['d1 mod phi', os2ip(f) % key.phi],
      ['d2', d2],
      ['p', key.p],
      ['q', key.q],
      // Its upper half is that of N.
      ['phi', key.phi % (1n << 1000n)],
      ['dp', dp],
      ['dq', dq],
      ['qi', qi],
      ['x', curve.whole],
      ['x1', curve.x1],
      ['x2', curve.x2],
      ['y2', curve.y2.subarray(1, 33)],
      ['y2, its other half', curve.y2.subarray(33)],
      ['x in the finite field', finite.whole],
      ['x1 in the finite field', finite.x1],
      ['x2 in the finite field', finite.x2],
      ['y2 in the finite field', finite.y2],
    );
    for (const { record, kit } of [rsa, elgamal, field]) {
      const k = await stretch(record);
      secrets.push(['K', k], ['beta', verifier(k)], ['password', Buffer.from(PASSWORD)]);
      sealedOnly.push(['t', bytes(kit.t)]);
    }
    for (const { url, request, response } of world.traffic) {
      if (!url.endsWith('/assist')) continue;
      const sent = JSON.parse(request) as { request: string };
      const question = await openAsAssistant(world.keys, sent.request, 'rk-request+jwe');
      const answer = JSON.parse(response) as { response?: string };
      const rho = bytes(question['rho']);
      secrets.push(['rho', rho]);
      const payload = answer.response && (await openDirect(answer.response, 'rk-response+jwe', rho));
      if (!payload) continue;
      opened.push(Buffer.from(JSON.stringify(question)), Buffer.from(payload));
      const { nu, proof } = JSON.parse(Buffer.from(payload).toString()) as {
        nu?: string;
        proof?: { c: string; s: string };
      };
      if (nu === undefined) continue;
      operations += 1;
      const element = bytes(nu);
      secrets.push(['nu', element.length === 65 ? element.subarray(1) : element]);
      if (proof) secrets.push(['the proof of x2', bytes(proof.s)], ['its challenge', bytes(proof.c)]);
    }

    places.set('record', hay(text(rsa.record, elgamal.record, field.record, signer.record, reader.record)));
    places.set('store', hay(storeFiles));
    places.set('traffic', hay(Buffer.from(JSON.stringify(world.traffic))));
    places.set('log', hay(Buffer.from(written.join('\n'))));
    places.set('events', hay(text(world.events)));
    const problems = world.traffic.filter(({ status }) => status >= 400);
    expect(problems.length).toBeGreaterThan(4);
    places.set('problems', hay(text(problems.map(({ response }) => response))));
    places.set('errors', hay(text(...errors)));
    places.set('device', hay(text(signer, reader, fieldReader)));
    places.set('kit', hay(text(rsa.kit, elgamal.kit, field.kit)));
    places.set('opened', hay(Buffer.concat(opened)));
    places.set('tickets', hay(text(pTicket, eTicket, fTicket)));
  });

  it('neither the key, nor a share, nor a partial result is anywhere but where it is sealed', async () => {
    await life();
    expect(operations).toBeGreaterThanOrEqual(7);
    const leaks = [];
    for (const place of [
      'record',
      'kit',
      'store',
      'traffic',
      'log',
      'events',
      'problems',
      'errors',
      'device',
    ]) {
      const where = places.get(place) as ReturnType<typeof hay>;
      for (const [name, value] of secrets) if (holds(where, value)) leaks.push(`${name} in ${place}`);
    }
    expect(leaks).toEqual([]);
  });

  it('not even under the seals is there more than each side must have', async () => {
    await life();
    const at = (place: string) => places.get(place) as ReturnType<typeof hay>;
    const found = (place: string) =>
      [...new Set(secrets.filter(([, value]) => holds(at(place), value)).map(([name]) => name))].sort();
    // Found where it must be: so the search does find what is there.
    expect(found('opened')).toEqual(['beta', 'its challenge', 'nu', 'rho', 'the proof of x2']);
    expect(found('tickets')).toEqual(['beta', 'd2', 'x2', 'x2 in the finite field']);
  });

  it('t is in the kit, and in the open once its owner has shown it; before that nowhere', async () => {
    await life();
    for (const [, t] of sealedOnly) {
      expect(holds(places.get('kit') as ReturnType<typeof hay>, t)).toBe(true);
      expect(holds(places.get('traffic') as ReturnType<typeof hay>, t)).toBe(true);
      for (const place of ['record', 'log', 'events', 'problems', 'errors', 'device', 'opened', 'tickets']) {
        expect(holds(places.get(place) as ReturnType<typeof hay>, t), place).toBe(false);
      }
    }
  });
});
