import { randomUUID } from 'node:crypto';
import { route } from '@better-upload/server';
import { toNodeHandler } from '@better-upload/server/adapters/node';
import { custom } from '@better-upload/server/clients';
import { presignGetObject } from '@better-upload/server/helpers';
import express from 'express';
import { app, keep, serve, signedIn } from '../application/server.js';

const { S3_HOST, S3_REGION, S3_KEY, S3_SECRET, S3_SECURE, BUCKET } = process.env;

const client = custom({
  host: S3_HOST,
  region: S3_REGION,
  accessKeyId: S3_KEY,
  secretAccessKey: S3_SECRET,
  secure: S3_SECURE !== 'false',
  forcePathStyle: true,
});

const uploads = (user) => ({
  client,
  bucketName: BUCKET,
  routes: {
    photo: route({
      fileTypes: ['image/jpeg', 'image/png', 'image/webp'],
      maxFileSize: 25 * 2 ** 20,
      onBeforeUpload: () => ({ objectInfo: { key: `${encodeURIComponent(user)}/${randomUUID()}` } }),
    }),
  },
});
app.post('/api/upload', signedIn, (req, res) => toNodeHandler(uploads(req.session.user))(req, res));

app.post('/photos', signedIn, express.json(), (req, res) => {
  const { title, photo: key } = req.body;
  const { user } = req.session;
  if (!key.startsWith(`${encodeURIComponent(user)}/`))
    return res.status(404).json({ error: 'no such photo' });
  keep(user, title, { key });
  res.sendStatus(201);
});

serve(({ key }) => presignGetObject(client, { bucket: BUCKET, key }));
