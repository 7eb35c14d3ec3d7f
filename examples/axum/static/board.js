/** Files are sent as soon as they are chosen; the form follows once they have arrived, with their ids. */

import { createClient } from '/client/index.js';

const client = createClient({ api: '/uploads' }); // its own server's, by the session's cookie
const form = document.querySelector('#entry');
const files = form.querySelector('[type=file]');
const button = form.querySelector('button:last-of-type');
let uploads = [];

files.disabled = false;
files.required = !form.querySelector('[name=upload]');

files.addEventListener('change', () => {
  for (const upload of uploads) upload.cancel();
  uploads = [...files.files].map((file) => client.upload(file, { profile: 'image' }));
  form.querySelector('ul').replaceChildren(...uploads.map(row));
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  for (const upload of uploads) if (upload.state === 'failed') upload.retry();
  try {
    for (const { id } of await Promise.all(uploads.map(({ done }) => done)))
      form.append(
        Object.assign(document.createElement('input'), { type: 'hidden', name: 'upload', value: id }),
      );
    form.submit();
  } catch {
    button.disabled = false; // the file's row says why
  }
});

function row(upload) {
  const [item, bar, said] = ['li', 'progress', 'span'].map((name) => document.createElement(name));
  const show = () => {
    bar.value = upload.progress.sent / upload.progress.total;
    said.textContent = upload.error?.message ?? upload.state;
    item.className = upload.state;
  };
  bar.ariaLabel = upload.name;
  item.append(upload.name, said, bar);
  upload.on('progress', show);
  upload.on('state', show);
  show();
  return item;
}
