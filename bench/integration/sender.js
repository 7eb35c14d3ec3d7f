/** A signed-in user with a program of his own instead of the page: asks for grants as the client would, and sends what he likes. */

export class Sender {
  static async signIn(stack, user) {
    const sender = new Sender();
    sender.stack = stack;
    const body = new URLSearchParams({ name: user });
    const answer = await fetch(`${stack.address}/sign-in`, { method: 'POST', body, redirect: 'manual' });
    sender.cookie = answer.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';')[0])
      .join('; ');
    return sender;
  }

  /** What the application grants for a file, or nothing if it refuses. */
  async begin(file) {
    const grant = await BEGIN[this.stack.variant](this, file);
    if (grant) grant.title = crypto.randomUUID();
    return grant;
  }

  /** The status of publishing what was sent by a grant. */
  async publish(grant) {
    await grant.complete?.();
    const { status } = await this.ask('/photos', { title: grant.title, photo: grant.id });
    return status;
  }

  /** Where a published photo is found. */
  async source({ title }) {
    const photos = await (await fetch(`${this.stack.address}/photos`)).json();
    return photos.find((photo) => photo.title === title).src;
  }

  ask(path, body) {
    const headers = { cookie: this.cookie, 'content-type': 'application/json' };
    const request = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
    return fetch(this.stack.address + path, request);
  }
}

const BEGIN = {
  async loadlock(sender, { type: content_type, size }) {
    const begun = await sender.ask('/uploads', { filename: 'photo.jpg', content_type, size });
    if (!begun.ok) return undefined;
    const { id, api, token, grant } = await begun.json();
    const headers = { authorization: `Bearer ${token}` };
    return {
      id,
      send: (body) => fetch(grant.url, { method: 'PUT', headers: grant.headers, body }),
      complete: () => fetch(`${api}/v1/uploads/${id}/complete`, { method: 'POST', headers }),
    };
  },

  async uppy(sender, { type }) {
    const query = new URLSearchParams({ filename: 'photo.jpg', type });
    const answer = await sender.ask(`/companion/s3/params?${query}`);
    if (!answer.ok) return undefined;
    const { url, fields } = await answer.json();
    const send = (bytes) => {
      const body = new FormData();
      for (const [name, value] of Object.entries(fields)) body.append(name, value);
      body.append('file', new Blob([bytes], { type }));
      return fetch(url, { method: 'POST', body });
    };
    return { id: fields.key, send };
  },

  async 'better-upload'(sender, { type, size }) {
    const answer = await sender.ask('/api/upload', {
      route: 'photo',
      files: [{ name: 'photo.jpg', size, type }],
    });
    if (!answer.ok) return undefined;
    const [{ signedUrl, file, headers }] = (await answer.json()).files;
    const send = (body) =>
      fetch(signedUrl, { method: 'PUT', headers: { ...headers, 'content-type': type }, body });
    return { id: file.objectInfo.key, send };
  },
};
