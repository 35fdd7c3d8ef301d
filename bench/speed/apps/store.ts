import express from 'express';
import { guessPolicy } from '../../../lib/store/guess-policy.ts';
import { storeFromUrl } from '../../../lib/store/url.ts';

/** What an unlock asks of its store, without the unlock: `times` reservations and settlements, 32 at once. */
export async function storeApp({ store: url }: { readonly store: string }) {
  const store = await storeFromUrl(url);
  await store.init();
  const policy = guessPolicy();
  let jti = 0;
  const step = async () => {
    const key = { id: `id ${jti % 20}`, jti: String(jti++), u: 'u', policy };
    const seenUntil = Math.floor(Date.now() / 1000) + 900;
    await store.reserve({ ...key, seenUntil, admitNew: true });
    await store.settle({ ...key, remember: true });
  };
  const app = express();
  app.post('/steps', express.json(), async (req, res) => {
    let left: number = req.body.times;
    const one = async () => {
      while (left-- > 0) await step();
    };
    await Promise.all(Array.from({ length: 32 }, one));
    res.json({});
  });
  return app;
}
