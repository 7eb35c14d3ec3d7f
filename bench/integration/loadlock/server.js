import express from 'express';
import { app, keep, serve, signedIn } from '../application/server.js';

const { LOADLOCK_URL, LOADLOCK_API_KEY } = process.env;

async function loadlock(path, body) {
  const headers = { authorization: `Bearer ${LOADLOCK_API_KEY}`, 'content-type': 'application/json' };
  const response = await fetch(LOADLOCK_URL + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error.message), { status: response.status });
  return answer;
}

app.post('/uploads', signedIn, express.json(), async (req, res) => {
  const { filename, content_type, size } = req.body;
  const wish = { profile: 'photo', owner: req.session.user, filename, content_type, size };
  res.json(await loadlock('/v1/uploads', wish));
});

app.post('/photos', signedIn, express.json(), async (req, res) => {
  const { title, photo } = req.body;
  const { user } = req.session;
  const { files } = await loadlock('/v1/uploads/claim', { ids: [photo], owner: user, metadata: { title } });
  keep(user, title, files[0]);
  res.sendStatus(201);
});

serve((photo) => photo.content_url);
