/** Files are sent as soon as they are chosen, by nothing but HTTP; the form follows once they have arrived. */

const form = document.querySelector('#entry');
const files = form.querySelector('[type=file]');
const button = form.querySelector('button:last-of-type');
let uploads = [];

files.disabled = false;
files.required = !form.querySelector('[name=upload]');

files.addEventListener('change', () => {
  form.querySelector('ul').replaceChildren();
  uploads = [...files.files].map(upload);
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  const ids = await Promise.all(uploads);
  button.disabled = false;
  if (!ids.every(Boolean)) return; // the file's row says why
  for (const value of ids)
    form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'upload', value }));
  form.submit();
});

/** Begins at this application, sends to the store, completes at Loadlock; gives the upload's id if that went well. */
async function upload(file) {
  const [row, said, bar] = ['li', 'span', 'progress'].map((name) => document.createElement(name));
  bar.value = 0;
  bar.ariaLabel = file.name;
  row.append(file.name, said, bar);
  form.querySelector('ul').append(row);
  try {
    said.textContent = 'sending';
    const { name: filename, type: content_type, size } = file;
    const { api, id, token, grant } = await call('POST', '/uploads', { filename, content_type, size });
    await send(grant, file, bar);
    said.textContent = 'completing';
    let { state } = await call('POST', `${api}/v1/uploads/${id}/complete`, undefined, token);
    while (state === 'received')
      ({ state } = await call('GET', `${api}/v1/uploads/${id}?wait=30`, undefined, token));
    if (state !== 'ready') throw new Error(`the file is ${state}`);
    said.textContent = state;
    return id;
  } catch (error) {
    row.className = 'failed';
    said.textContent = error.message;
  }
}

async function call(method, url, body, token) {
  const headers = body ? { 'content-type': 'application/json' } : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message ?? answer.error);
  return answer;
}

/** By XMLHttpRequest, because `fetch` tells nothing of a body on its way. */
function send({ url, headers }, file, bar) {
  const request = new XMLHttpRequest();
  request.open('PUT', url);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.upload.onprogress = ({ loaded, total }) => {
    bar.value = loaded / total;
  };
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(new Error('the store cannot be reached'));
    request.onload = () =>
      request.status < 300 ? resolve() : reject(new Error(`the store refused the file (${request.status})`));
    request.send(file);
  });
}
