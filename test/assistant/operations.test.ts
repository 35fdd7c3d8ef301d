import { expect, it } from 'vitest';
import { assist, b64, countedSince, makeRequest, makeTicket, random } from '../attacks/support.ts';
import { startAssistant } from '../support/world.ts';

it('an operation that does not fit the ticket is refused before anything is counted', async () => {
  const world = await startAssistant();
  const owner = await makeTicket(world.keys.active.jwk);
  for (const given of [
    { op: 'sign', payload: { alg: 'RS256', digest: b64(random(32)) } },
    { op: 'decrypt', payload: { w: b64(random(65)) } },
  ]) {
    for (const beta of [owner.b, random(32)]) {
      const { status, opened } = await assist(world, await makeRequest(owner, { ...given, beta }));
      expect(status).toBe(400);
      expect(opened).toMatchObject({ op: given.op, code: 'invalid_request' });
    }
  }
  expect(await countedSince(world, owner)).toBe(0);
});

it('retrieval is not served where the app says so, and the ticket is not opened to guesses', async () => {
  const world = await startAssistant({ serve: { retrieve: false } });
  const owner = await makeTicket(world.keys.active.jwk);
  for (const op of ['retrieve', 'retire']) {
    const { status, json } = await assist(world, await makeRequest(owner, { op }));
    expect([status, json.code]).toEqual([400, 'unsupported']);
    expect(json).not.toHaveProperty('response');
  }
});

it('retire asks for the password like everything else, and counts wrong ones', async () => {
  const world = await startAssistant();
  const owner = await makeTicket(world.keys.active.jwk);
  const wrong = await assist(world, await makeRequest(owner, { op: 'retire', beta: random(32) }));
  expect(wrong.opened).toMatchObject({ op: 'retire', code: 'wrong_password', attemptsLeft: 4 });
  const right = await assist(world, await makeRequest(owner, { op: 'retire' }));
  expect(right.opened).toMatchObject({ retired: true, failedSince: { count: 1 } });
  expect(right.opened).not.toHaveProperty('c');
  const later = await assist(world, await makeRequest(owner, { op: 'retire' }));
  expect([later.status, later.json.code]).toEqual([403, 'retired']);
});

it('retire ends one ticket: another with the same u, as after a password change, goes on', async () => {
  const world = await startAssistant();
  const owner = await makeTicket(world.keys.active.jwk);
  const next = await makeTicket(owner.jwk, { t: owner.t });
  await assist(world, await makeRequest(owner, { op: 'retire' }));
  expect((await assist(world, await makeRequest(next))).status).toBe(200);
});

it('two retirements at once do not both succeed', async () => {
  const world = await startAssistant();
  const owner = await makeTicket(world.keys.active.jwk);
  const requests = await Promise.all([1, 2, 3].map(() => makeRequest(owner, { op: 'retire' })));
  const statuses = (await Promise.all(requests.map((request) => assist(world, request)))).map(
    ({ status }) => status,
  );
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
});
