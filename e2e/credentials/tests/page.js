/** What runs in the browser: the AWS SDK with the keys that the service has given. */

import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

const commands = {
  AbortMultipartUpload: AbortMultipartUploadCommand,
  CopyObject: CopyObjectCommand,
  CreateMultipartUpload: CreateMultipartUploadCommand,
  DeleteObject: DeleteObjectCommand,
  GetObject: GetObjectCommand,
  ListObjectsV2: ListObjectsV2Command,
  PutObject: PutObjectCommand,
};

const client = (given) =>
  new S3Client({
    region: given.region,
    endpoint: given.endpoint,
    forcePathStyle: given.path_style,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    credentials: {
      accessKeyId: given.access_key_id,
      secretAccessKey: given.secret_access_key,
      sessionToken: given.session_token,
    },
  });

/** Sends bytes and so many zeros, as an application would: in one piece or, from 5 MiB on, in parts. */
const upload = async (given, key, bytes, zeros) => {
  const params = { Bucket: given.bucket, Key: key, Body: new Blob([new Uint8Array(bytes), new Uint8Array(zeros)]) };
  await new Upload({ client: client(given), params, partSize: 5 << 20 }).done();
};

/** One command; `ok`, or the status and name of its refusal. */
const attempt = async (given, name, input) => {
  try {
    const { UploadId } = await client(given).send(new commands[name]({ Bucket: given.bucket, ...input }));
    return UploadId ?? 'ok';
  } catch (error) {
    return `${error.$metadata?.httpStatusCode} ${error.name}`;
  }
};

/** @type {any} */ (window).loadlock = { upload, attempt };
