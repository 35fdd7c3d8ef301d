import request from 'supertest';
import { expect, it, vi } from 'vitest';
import { MemoryStore } from '../../lib/store/memory.ts';
import { b64, random } from '../attacks/support.ts';
import { startAssistant } from '../support/world.ts';

it('full pages may be kept for a while, their end and answers to foreign cursors not at all', async () => {
  const store = new MemoryStore();
  const ts = Array.from({ length: 2003 }, () => b64(random(16)));
  for (const t of ts) await store.disable({ u: b64(random(32)), t });
  const world = await startAssistant({ store });
  const feed = vi.spyOn(store, 'feed');
  const read = async (after?: string) => {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
    const { headers, body } = await request(world.app).get(`/assistant/disabled${query}`).expect(200);
    return { ...(body as { disabled: string[]; next: string }), kept: headers['cache-control'] };
  };
  const first = await read();
  const second = await read(first.next);
  const last = await read(second.next);
  const end = await read(last.next);
  expect([first, second, last, end].flatMap(({ disabled }) => disabled)).toEqual(ts);
  expect([first, second, last, end].map(({ kept }) => kept)).toEqual([
    'public, max-age=60',
    'public, max-age=60',
    'no-store',
    'no-store',
  ]);
  expect(await read('')).toEqual(first);
  expect(await read('foreign')).toEqual({ ...first, kept: 'no-store' });

  // What was marked before a request is in its answer; full pages are not read again.
  const t = b64(random(16));
  await store.disable({ u: b64(random(32)), t });
  expect((await read(last.next)).disabled).toEqual([t]);
  feed.mockClear();
  for (const after of [undefined, first.next]) for (let i = 0; i < 20; i++) await read(after);
  expect(feed).not.toHaveBeenCalled();
});
