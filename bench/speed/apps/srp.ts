import express from 'express';
import {
  createVerifierAndSalt,
  SRPParameters,
  SRPRoutines,
  SRPServerSession,
  type SRPServerSessionStep1,
} from 'tssrp6a';

/** SRP-6a (RFC 5054) by tssrp6a, with its default group of 2048 bits. */
export async function srpApp() {
  const routines = new SRPRoutines(new SRPParameters());
  const stored = await createVerifierAndSalt(routines, 'ada', 'correct horse');
  const states = new Map<string, SRPServerSessionStep1>();
  const app = express();
  app.use(express.json({ limit: '10kb' }));
  app.post('/start', async (req, res) => {
    const step = await new SRPServerSession(routines).step1(req.body.user, stored.s, stored.v);
    const state = crypto.randomUUID();
    states.set(state, step);
    res.json({ state, salt: stored.s.toString(16), B: step.B.toString(16) });
  });
  app.post('/finish', async (req, res) => {
    const { state, A, M1 } = req.body;
    const step = states.get(state) as SRPServerSessionStep1;
    states.delete(state);
    const M2 = await step.step2(BigInt(`0x${A}`), BigInt(`0x${M1}`));
    res.json({ M2: M2.toString(16) });
  });
  return app;
}
