/** A page that signs its user in at an OpenID provider (code + PKCE, RFC 7636) and uploads with the token it gets there. */

import { createClient } from '/client/index.js';

const { api, issuer, client_id, resource } = await (await fetch('/settings.json')).json();
const redirect_uri = `${location.origin}/`;
const at = (id) => document.getElementById(id);
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function discover() {
  return (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
}

async function leave() {
  const [verifier, state] = [random(), random()];
  sessionStorage.setItem('verifier', verifier);
  sessionStorage.setItem('state', state);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  const { authorization_endpoint } = await discover();
  const asked = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri,
    resource,
    state,
    scope: 'openid upload',
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  });
  location.assign(`${authorization_endpoint}?${asked}`);
}

/** @returns {Promise<string | undefined>} the access token, if the provider has just sent the user back */
async function token() {
  const back = new URLSearchParams(location.search);
  if (!back.has('code') || back.get('state') !== sessionStorage.getItem('state')) return undefined;
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id,
    redirect_uri,
    code: back.get('code'),
    code_verifier: sessionStorage.getItem('verifier'),
  });
  const { token_endpoint } = await discover();
  const answer = await (await fetch(token_endpoint, { method: 'POST', body })).json();
  history.replaceState(null, '', redirect_uri);
  return answer.access_token;
}

async function show(id) {
  const authorization = `Bearer ${access}`;
  const stored = await fetch(`${api}/v1/files/${id}`, { headers: { authorization } });
  at('stored').src = (await stored.json()).url;
}

at('sign-in').addEventListener('click', leave);
const access = await token();
if (access) {
  const client = createClient({ api, token: access });
  at('state').textContent = 'signed in';
  at('photo').disabled = false;
  at('photo').addEventListener('change', () => {
    const upload = client.upload(at('photo').files[0], { profile: 'image' });
    upload.on('state', ({ state, error, record }) => {
      at('state').textContent = error?.message ?? [state, record?.file?.owner].filter(Boolean).join(' for ');
      if (record?.file) show(record.file.id);
    });
  });
}
