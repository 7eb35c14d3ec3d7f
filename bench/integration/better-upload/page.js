import { uploadFile } from '@better-upload/client';
import { whenSubmitted } from '../application/form.js';

whenSubmitted(async (file, progress) => {
  const onFileStateChange = ({ file }) => progress(file.progress);
  const done = await uploadFile({ route: 'photo', file, onFileStateChange });
  return done.file.objectInfo.key;
});
