import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';
import { whenSubmitted } from '../application/form.js';

whenSubmitted(async (file, progress) => {
  const uppy = new Uppy({
    restrictions: { maxFileSize: 25 * 2 ** 20, allowedFileTypes: ['image/jpeg', 'image/png', 'image/webp'] },
  });
  uppy.use(AwsS3, { companionEndpoint: '/companion', shouldUseMultipart: false });
  uppy.on('progress', (percent) => progress(percent / 100));
  uppy.addFile({ name: file.name, type: file.type, data: file });
  const { successful, failed } = await uppy.upload();
  if (failed.length) throw new Error(failed[0].error);
  return successful[0].response.body.key;
});
