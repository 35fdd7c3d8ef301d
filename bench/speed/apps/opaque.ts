import * as opaque from '@serenity-kit/opaque';
import express from 'express';

/** OPAQUE (RFC 9807) by @serenity-kit/opaque, as its documentation has it. */
export async function opaqueApp() {
  await opaque.ready;
  const serverSetup = opaque.server.createSetup();
  const records = new Map<string, string>();
  const states = new Map<string, string>();
  const app = express();
  app.use(express.json());
  app.post('/register/start', (req, res) => {
    const { userIdentifier, registrationRequest } = req.body;
    res.json(opaque.server.createRegistrationResponse({ serverSetup, userIdentifier, registrationRequest }));
  });
  app.post('/register/finish', (req, res) => {
    records.set(req.body.userIdentifier, req.body.registrationRecord);
    res.json({});
  });
  app.post('/login/start', (req, res) => {
    const { userIdentifier, startLoginRequest } = req.body;
    const registrationRecord = records.get(userIdentifier);
    const { serverLoginState, loginResponse } = opaque.server.startLogin({
      serverSetup,
      userIdentifier,
      registrationRecord,
      startLoginRequest,
    });
    const state = crypto.randomUUID();
    states.set(state, serverLoginState);
    res.json({ loginResponse, state });
  });
  app.post('/login/finish', (req, res) => {
    const { state, finishLoginRequest } = req.body;
    const serverLoginState = states.get(state) ?? '';
    states.delete(state);
    const { sessionKey } = opaque.server.finishLogin({ finishLoginRequest, serverLoginState });
    res.json({ ok: sessionKey.length > 0 });
  });
  return app;
}
