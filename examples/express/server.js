/** A pinboard: signed-in people publish photos and videos, which go from their browsers straight into S3. */

import { randomBytes } from 'node:crypto';
import cookieSession from 'cookie-session';
import express from 'express';
import sqlite from 'node-sqlite3-wasm';

const { LOADLOCK_URL, LOADLOCK_API_KEY, DATABASE = 'pinboard.db', PORT = 3000 } = process.env;
const { SESSION_SECRET = randomBytes(32).toString('hex') } = process.env;

const database = new sqlite.Database(DATABASE);
database.exec('CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, owner TEXT, title TEXT, files TEXT)');

/** Asks Loadlock as this application's server, which may act for any of its users. */
async function loadlock(path, body, idempotencyKey) {
  const headers = { authorization: `Bearer ${LOADLOCK_API_KEY}`, 'content-type': 'application/json' };
  if (idempotencyKey) headers['idempotency-key'] = idempotencyKey;
  const response = await fetch(LOADLOCK_URL + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error.message), { status: response.status });
  return answer;
}

const app = express();
app.set('view engine', 'ejs');
app.use(express.static('public'), express.static('../shared'));
app.use('/client', express.static('node_modules/@loadlock/client/src'));
app.use(cookieSession({ secret: SESSION_SECRET, sameSite: 'lax', httpOnly: true }));
app.use(express.json(), express.urlencoded());

function board(req, res, form) {
  const rows = database.all('SELECT * FROM entries ORDER BY id DESC');
  const entries = rows.map((row) => ({ ...row, files: JSON.parse(row.files) }));
  res.render('board', { user: req.session.user, entries, title: '', uploads: [], problem: '', ...form });
}

/** What a form says of a name once, twice or not at all, as a list. */
const list = (values = []) => [values].flat().map(String);

app.get('/', (req, res) => {
  // Whoever sent a file without JavaScript is back: `upload` is there once more, `state` says how it went so far.
  const { title = '', state = 'ready', reason = state } = req.query;
  const uploads = list(req.query.upload);
  const problem = ['ready', 'received'].includes(state) ? '' : `The last file was not taken (${reason}).`;
  board(req, res, { title, uploads: problem ? uploads.slice(0, -1) : uploads, problem });
});

app.post('/sign-in', (req, res) => {
  req.session.user = String(req.body.name).slice(0, 60); // your application asks for more than a name
  res.redirect(303, '/');
});

app.post('/sign-out', (req, res) => {
  req.session = null;
  res.redirect(303, '/');
});

app.use((req, _res, next) => next(req.session.user ? undefined : { status: 401, message: 'sign in first' }));

// The browser is about to send a file: Loadlock begins, for this user.
app.post('/uploads', async (req, res) => {
  const { filename, content_type, size } = req.body;
  const wish = { profile: 'post', owner: req.session.user, filename, content_type, size };
  res.json(await loadlock('/v1/uploads', wish, req.get('idempotency-key')));
});

// The same without JavaScript: a plain form, rendered before a file is chosen, that sends to the store.
app.post('/file', async (req, res) => {
  const kept = new URLSearchParams({ title: req.body.title });
  for (const id of list(req.body.upload)) kept.append('upload', id);
  const return_to = `${req.protocol}://${req.host}/?${kept}`;
  const wish = { profile: 'post', owner: req.session.user, method: 'post', return_to };
  res.render('file', { grant: (await loadlock('/v1/uploads', wish)).grant });
});

// The form is submitted: the files are claimed with it, if they are this user's, and are kept.
app.post('/entries', async (req, res) => {
  const { user } = req.session;
  const title = String(req.body.title);
  const uploads = list(req.body.upload);
  try {
    const { files } = await loadlock('/v1/uploads/claim', { ids: uploads, owner: user, metadata: { title } });
    const row = [uploads[0], user, title, JSON.stringify(files)];
    database.run('INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)', row);
    res.redirect(303, '/');
  } catch (error) {
    if (!error.status) throw error;
    board(req, res.status(error.status), { title, uploads, problem: error.message });
  }
});

app.use((error, req, res, _next) => {
  const { status = 500 } = error;
  const message = status < 500 ? error.message : 'Something went wrong here. Try again.';
  if (status >= 500) console.error(error);
  res.status(status);
  if (req.is('json')) res.json({ error: message });
  else board(req, res, { problem: message });
});

app.listen(PORT, '127.0.0.1', () => console.log(`The pinboard hangs at http://127.0.0.1:${PORT}`));
