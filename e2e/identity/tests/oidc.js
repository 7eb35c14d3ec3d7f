/** `oidc-provider` at an address of its own: its clients, its keys, and the resource that its access tokens are for. */

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

export const UPLOADS = 'https://uploads.example.com';
export const ELSEWHERE = 'https://elsewhere.example.com';

/** A new private key, as a JWK. */
export function key(kid) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
}

export class Oidc {
  /** @param {string} [page] where people are sent back to who sign in */
  static async start(page) {
    const oidc = new Oidc();
    oidc.page = page;
    oidc.server = createServer((request, response) => {
      // No connection outlives a stop.
      response.setHeader('connection', 'close');
      oidc.answer(request, response);
    });
    oidc.server.listen(0, '127.0.0.1');
    await once(oidc.server, 'listening');
    oidc.port = oidc.server.address().port;
    oidc.issuer = `http://127.0.0.1:${oidc.port}`;
    oidc.rotate(key('first'));
    return oidc;
  }

  /** Signs with this key from now on, and serves no other. */
  rotate(jwk) {
    this.answer = new Provider(this.issuer, settings(jwk, this.page)).callback();
  }

  async stop() {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  /** Is there again, where it was. */
  async resume() {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  /** An access token of a program, by client credentials. */
  async token(resource = UPLOADS) {
    const body = new URLSearchParams({ grant_type: 'client_credentials', resource, scope: 'upload' });
    const authorization = `Basic ${Buffer.from('program:secret').toString('base64')}`;
    const response = await fetch(`${this.issuer}/token`, {
      method: 'POST',
      headers: { authorization },
      body,
    });
    const { access_token, ...rest } = await response.json();
    if (!access_token) throw new Error(JSON.stringify(rest));
    return access_token;
  }
}

function settings(jwk, page) {
  const program = {
    client_id: 'program',
    client_secret: 'secret',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  };
  const browser = {
    client_id: 'page',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [page],
  };
  return {
    clients: page ? [program, browser] : [program],
    jwks: { keys: [jwk] },
    cookies: { keys: ['of these tests alone'] },
    clientBasedCORS: () => true,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, audience) => ({ audience, scope: 'upload', accessTokenFormat: 'jwt' }),
      },
    },
  };
}
