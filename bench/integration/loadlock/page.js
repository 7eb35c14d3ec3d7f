import { createClient } from '@loadlock/client';
import { whenSubmitted } from '../application/form.js';

const client = createClient();

whenSubmitted(async (file, progress) => {
  const upload = client.upload(file, { begin: '/uploads' });
  upload.on('progress', ({ progress: { sent, total } }) => progress(sent / total));
  return (await upload.done).id;
});
