import express from 'express';

/** The floor: what Express itself costs for a JSON body. */
export function echoApp() {
  const app = express();
  app.use(express.json());
  app.post('/echo', (req, res) => {
    res.json(req.body);
  });
  return app;
}
