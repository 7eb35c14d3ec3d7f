/** The application before anybody uploads to it: a sign-in, and a list of titled photos. The same under each of them. */

import { randomUUID } from 'node:crypto';
import cookieSession from 'cookie-session';
import express from 'express';

const photos = [];

export const app = express();
app.use(cookieSession({ secret: randomUUID(), sameSite: 'lax' }));
app.use(express.static(new URL('.', import.meta.url).pathname), express.static(process.env.BUNDLE));

app.post('/sign-in', express.urlencoded(), (req, res) => {
  req.session.user = req.body.name;
  res.redirect(303, '/');
});

export const signedIn = (req, res, next) =>
  req.session.user ? next() : res.status(401).json({ error: 'sign in first' });

/** Keeps a photo for its user; `source` says where it is found when it is shown. */
export const keep = (user, title, photo) => photos.unshift({ user, title, ...photo });

/** Serves the list, and listens. `source` gives the address of a kept photo. */
export function serve(source) {
  app.get('/photos', async (_req, res) => {
    res.json(await Promise.all(photos.map(async (photo) => ({ ...photo, src: await source(photo) }))));
  });
  app.use((error, _req, res, _next) => res.status(error.status ?? 500).json({ error: error.message }));
  app.listen(process.env.PORT, '127.0.0.1');
}
