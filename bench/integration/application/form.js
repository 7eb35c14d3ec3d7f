/** The application's page: its form and its list. Whatever uploads is given the file, and gives what the server keeps it by. */

const form = document.querySelector('#photo');
const main = document.querySelector('main');

/** @param {(file: File, progress: (share: number) => void) => Promise<string>} upload */
export function whenSubmitted(upload) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const { title, file } = form.elements;
    const said = form.querySelector('p');
    try {
      const photo = await upload(file.files[0], (share) => {
        form.querySelector('progress').value = share;
      });
      const body = JSON.stringify({ title: title.value, photo });
      const answer = await fetch('/photos', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      if (!answer.ok) throw new Error((await answer.json()).error);
      said.textContent = '';
      await show();
    } catch (error) {
      said.textContent = error.message;
    }
  });
}

async function show() {
  const photos = await (await fetch('/photos')).json();
  main.replaceChildren(...photos.map(({ title, src }) => Object.assign(new Image(), { alt: title, src })));
}

show();
