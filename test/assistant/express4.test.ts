/** The router on Express 4, which does not catch what a handler rejects with. */
import request from 'supertest';
import { expect, it, vi } from 'vitest';
import { KeySet } from '../../lib/assistant/keys.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { makeDisabling, makeRequest, makeTicket } from '../attacks/support.ts';

vi.mock('express', async () => import('express4' as string));

it('every route answers, errors included', async () => {
  const { default: express } = await import('express');
  const { assistant } = await import('../../lib/assistant/router.ts');
  const store = new MemoryStore();
  const keys = await KeySet.generate();
  const router = assistant({ keys, store, cors: true, onError: () => {} });
  const app = express().use('/assistant', router);
  // Express 5 has it no more.
  expect(app).toHaveProperty('del');
  const { jwk } = keys.active;
  await request(app).get('/assistant/keys').expect(200);
  await request(app).get('/assistant/health').expect(200);
  await request(app).get('/assistant/disabled').expect(200);
  await request(app).get('/assistant/disabled?after=a&after=b').expect(400);
  await request(app).get('/assistant/assist').expect(405);
  await request(app).post('/assistant/assist').send({}).expect(400);
  await request(app).post('/assistant/assist').type('text').send('{}').expect(400);
  await request(app).post('/assistant/disable').send({}).expect(400);
  await request(app)
    .post('/assistant/assist')
    .send((await makeRequest(await makeTicket(jwk))).body)
    .expect(200);
  await request(app)
    .post('/assistant/disable')
    .send((await makeDisabling(jwk)).body)
    .expect(200);
  const down = () => Promise.reject<never>(new Error('down'));
  Object.assign(store, { feed: down, reserve: down, isDisabled: down });
  await request(app).get('/assistant/disabled').expect(503);
  await request(app)
    .post('/assistant/assist')
    .send((await makeRequest(await makeTicket(jwk))).body)
    .expect(503);
  await request(app)
    .post('/assistant/disable')
    .send((await makeDisabling(jwk)).body)
    .expect(503);
  await router.assistant.close();
});
