import express, { type RequestHandler } from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { RoamingKeyError, type WireErrorCode } from '../../lib/base/errors.ts';
import { jsonBody } from '../../lib/http/json-body.ts';
import { problemHandler, toProblem } from '../../lib/http/problem.ts';

const NOW = 1_795_000_000;

function appThat(handler: RequestHandler) {
  const errors: unknown[] = [];
  const app = express()
    .use(handler)
    .use(problemHandler({ onError: (error) => errors.push(error), clock: () => NOW }));
  return { app, errors };
}

async function answerTo(error: unknown) {
  const { app, errors } = appThat((_req, _res, next) => next(error));
  const { status, body, headers } = await request(app).get('/');
  return { status, body, headers, errors };
}

describe('an error of this package', () => {
  it.each<[WireErrorCode, number]>([
    ['invalid_request', 400],
    ['unknown_key', 400],
    ['bad_ticket', 400],
    ['stale_request', 400],
    ['replayed', 400],
    ['unsupported', 400],
    ['bad_mac', 401],
    ['wrong_password', 401],
    ['disabled', 403],
    ['retired', 403],
    ['refused', 403],
    ['locked', 429],
    ['busy', 429],
    ['unavailable', 503],
  ])('%s is answered with %i', async (code, status) => {
    const { body, headers, ...answer } = await answerTo(new RoamingKeyError(code, 'hunter2'));
    expect(answer.status).toBe(status);
    expect(body).toEqual({ type: `urn:roaming-key:1:${code}`, title: expect.any(String), status, code });
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['www-authenticate']).toBe(status === 401 ? `RoamingKey error="${code}"` : undefined);
  });

  it('tells the sealed answer, tries and times that it bears', async () => {
    const { body, headers } = await answerTo(
      new RoamingKeyError('wrong_password', 'x', { response: 'a..b.c.d', attemptsLeft: 3, retryAt: NOW + 9 }),
    );
    expect(body).toMatchObject({ response: 'a..b.c.d', attemptsLeft: 3, retryAt: NOW + 9 });
    expect(headers['retry-after']).toBeUndefined();
  });

  it.each([
    ['locked', { retryAt: NOW + 30 }, '30'],
    ['locked', { retryAt: NOW - 5 }, '1'],
    ['locked', {}, undefined],
    ['busy', { retryAt: NOW + 2 }, '2'],
    ['busy', {}, '1'],
    ['unavailable', { retryAt: NOW + 10 }, '10'],
    ['unavailable', {}, undefined],
  ] as const)('%s with %o says Retry-After: %s', async (code, options, expected) => {
    const { headers } = await answerTo(new RoamingKeyError(code, 'x', options));
    expect(headers['retry-after']).toBe(expected);
  });

  it('of the device’s own kind never travels', async () => {
    const { status, body } = await answerTo(new RoamingKeyError('bad_password', 'hunter2'));
    expect([status, body.code]).toEqual([503, 'unavailable']);
  });

  it('is reported to the app from 500 on, with its cause', async () => {
    const cause = new Error('down');
    const error = new RoamingKeyError('unavailable', 'x', { cause });
    expect((await answerTo(error)).errors).toEqual([error]);
    expect((await answerTo(new RoamingKeyError('refused', 'x'))).errors).toEqual([]);
  });
});

describe('an error of anything else', () => {
  it.each([
    ['an Error', new Error('hunter2')],
    ['a TypeError', new TypeError('hunter2')],
    ['a SyntaxError of the app', new SyntaxError('hunter2')],
    ['an error with a status', Object.assign(new Error('hunter2'), { status: 404 })],
    ['an error that is not to be shown', Object.assign(new Error('hunter2'), { status: 400, expose: false })],
    ['an exposed error of the server', Object.assign(new Error('hunter2'), { status: 500, expose: true })],
    ['an exposed redirection', Object.assign(new Error('hunter2'), { status: 302, expose: true })],
    ['a string', 'hunter2'],
    ['an object', { status: 400, type: 'entity.parse.failed', message: 'hunter2' }],
    ['a look-alike', Object.assign(new Error('hunter2'), { code: 'wrong_password', status: 401 })],
  ])('is unavailable, and nothing of it is told: %s', async (_what, error) => {
    const { status, body, headers, errors } = await answerTo(error);
    expect([status, body.code]).toEqual([503, 'unavailable']);
    expect(JSON.stringify([body, headers])).not.toContain('hunter2');
    expect(errors).toEqual([error]);
  });

  it('of Express, over a path that cannot be decoded, is an invalid request', async () => {
    const app = express()
      .get('/:name', (_req, res) => void res.end())
      .use(problemHandler());
    const { status, body } = await request(app).get('/%ff');
    expect([status, body.code]).toEqual([400, 'invalid_request']);
  });

  it.each([400, 403, 404, 413, 415, 499])(
    'that blames the request, with status %i, is an invalid request and nothing of it is told',
    async (status) => {
      const error = Object.assign(new Error('hunter2'), { status, expose: true });
      const { status: answered, body, errors } = await answerTo(error);
      expect([answered, body.code]).toEqual([status === 413 ? 413 : 400, 'invalid_request']);
      expect(JSON.stringify(body)).not.toContain('hunter2');
      expect(errors).toEqual([]);
    },
  );

  it.each([
    ['damaged gzip', { 'Content-Encoding': 'gzip' }, '{}', 400],
    ['an unknown coding', { 'Content-Encoding': 'x' }, '{}', 400],
    ['too many parameters', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'a&'.repeat(1100), 413],
    ['a body that fails verification', {}, '{"bad":1}', 400],
    ['half a body', {}, '{', 400],
  ] as const)('of Express, over %s, is an invalid request', async (_what, headers, body, expected) => {
    const verify = (_req: unknown, _res: unknown, bytes: Buffer) => {
      if (bytes.includes('bad')) throw new Error('bad');
    };
    const errors: unknown[] = [];
    const app = express()
      .use(express.json({ verify }), express.urlencoded({ extended: true }))
      .use(problemHandler({ onError: (error) => void errors.push(error) }));
    const { status, body: problem } = await request(app)
      .post('/')
      .set({ 'Content-Type': 'application/json', ...headers })
      .send(body);
    expect([status, problem.code]).toEqual([expected, 'invalid_request']);
    expect(errors).toEqual([]);
  });

  it('after the answer has begun ends the connection', async () => {
    const { app } = appThat((_req, res, next) => {
      res.write('half');
      next(new Error('too late'));
    });
    await expect(request(app).get('/')).rejects.toThrow();
  });
});

describe('a body', () => {
  const app = express().post('/', jsonBody({ limit: 100 }), (req, res) => void res.json(req.body));
  app.use(problemHandler());
  const send = (type: string, body: string, headers: Record<string, string> = {}) =>
    request(app)
      .post('/')
      .set({ ...headers, 'Content-Type': type })
      .send(body);

  it.each([
    'application/json',
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/json; charset="UTF-8"',
  ])('of type %s is read', async (type) => {
    expect((await send(type, '{"a":[1]}')).body).toEqual({ a: [1] });
  });

  it.each([
    ['text/plain', '{}', 400],
    ['application/json; charset=latin1', '{}', 400],
    ['application/json', '{', 400],
    ['application/json', '1', 400],
    ['application/json', `"${'x'.repeat(99)}"`, 413],
  ])('of type %s with %s is answered with %i', async (type, body, status) => {
    const answer = await send(type, body);
    expect([answer.status, answer.body.code, answer.body.status]).toEqual([
      status,
      'invalid_request',
      status,
    ]);
  });

  it('that is missing, empty or compressed is an invalid request', async () => {
    expect((await request(app).post('/')).body.code).toBe('invalid_request');
    expect((await request(app).post('/').set('Content-Type', 'application/json')).body.code).toBe(
      'invalid_request',
    );
    expect((await send('application/json', '{}', { 'Content-Encoding': 'br' })).status).toBe(400);
  });

  it('limits are refused at construction', () => {
    for (const limit of [0, -1, 1.5, Number.NaN]) expect(() => jsonBody({ limit })).toThrow('limit');
  });
});

describe('toProblem', () => {
  it('has a title for every code that says nothing of the request', () => {
    expect(toProblem(new RoamingKeyError('locked', 'x')).title).toBe('Too many wrong passwords');
  });
});
