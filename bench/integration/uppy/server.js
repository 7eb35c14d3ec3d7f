import { randomUUID } from 'node:crypto';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import * as companion from '@uppy/companion';
import express from 'express';
import { app, keep, serve, signedIn } from '../application/server.js';

const { S3_ENDPOINT, S3_REGION, S3_KEY, S3_SECRET, BUCKET, COMPANION_SECRET, HOST } = process.env;

const { app: companionApp } = companion.app({
  secret: COMPANION_SECRET,
  server: { host: HOST, path: '/companion' },
  corsOrigins: [`https://${HOST}`],
  filePath: '/tmp',
  s3: {
    endpoint: S3_ENDPOINT,
    region: S3_REGION,
    key: S3_KEY,
    secret: S3_SECRET,
    bucket: BUCKET,
    forcePathStyle: true,
    getKey: ({ req }) => `${encodeURIComponent(req.session.user)}/${randomUUID()}`,
    conditions: [
      ['content-length-range', 1, 25 * 2 ** 20],
      ['starts-with', '$content-type', 'image/'],
    ],
  },
});
app.use('/companion', signedIn, companionApp);

app.post('/photos', signedIn, express.json(), (req, res) => {
  const { title, photo: key } = req.body;
  const { user } = req.session;
  if (!key.startsWith(`${encodeURIComponent(user)}/`))
    return res.status(404).json({ error: 'no such photo' });
  keep(user, title, { key });
  res.sendStatus(201);
});

const credentials = { accessKeyId: S3_KEY, secretAccessKey: S3_SECRET };
const s3 = new S3Client({ endpoint: S3_ENDPOINT, region: S3_REGION, credentials, forcePathStyle: true });
serve(({ key }) => getSignedUrl(s3, new GetObjectCommand({ Bucket: BUCKET, Key: key })));
