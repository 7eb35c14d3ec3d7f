/** `cognito-local`: a user pool of Amazon Cognito, asked as Amazon's is. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './service.js';

const PACKAGE = createRequire(import.meta.url).resolve('cognito-local/package.json');
const PASSWORD = 'Correct-horse-7';

export class Cognito {
  static async start() {
    const cognito = new Cognito();
    const port = await freePort();
    cognito.address = `http://127.0.0.1:${port}`;
    cognito.directory = await mkdtemp(join(tmpdir(), 'loadlock-cognito-'));
    cognito.child = spawn(process.execPath, [join(dirname(PACKAGE), 'lib/bin/start.js')], {
      cwd: cognito.directory,
      env: { ...process.env, HOST: '127.0.0.1', PORT: String(port) },
      stdio: 'ignore',
    });
    while (!(await cognito.answers())) {
      assert.equal(cognito.child.exitCode, null, 'cognito-local has ended');
      await pause(100);
    }
    const { UserPool } = await cognito.ask('CreateUserPool', { PoolName: 'people' });
    cognito.pool = UserPool.Id;
    cognito.issuer = `${cognito.address}/${cognito.pool}`;
    return cognito;
  }

  async answers() {
    return fetch(`${this.address}/health`).then(
      (response) => response.ok,
      () => false,
    );
  }

  async ask(target, body) {
    const headers = {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSCognitoIdentityProviderService.${target}`,
    };
    const response = await fetch(this.address, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json();
    assert.equal(response.status, 200, `${target}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** A new app client's id. */
  async client(name) {
    const made = await this.ask('CreateUserPoolClient', {
      UserPoolId: this.pool,
      ClientName: name,
      ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'],
    });
    return made.UserPoolClient.ClientId;
  }

  /** A new user's subject. */
  async user(Username) {
    const user = { UserPoolId: this.pool, Username };
    const made = await this.ask('AdminCreateUser', { ...user, MessageAction: 'SUPPRESS' });
    await this.ask('AdminSetUserPassword', { ...user, Password: PASSWORD, Permanent: true });
    return made.User.Attributes.find(({ Name }) => Name === 'sub').Value;
  }

  /** The tokens of a user who signs in at an app client: `AccessToken`, `IdToken`, `RefreshToken`. */
  async signIn(ClientId, USERNAME) {
    const answer = await this.ask('InitiateAuth', {
      AuthFlow: 'USER_PASSWORD_AUTH',
      ClientId,
      AuthParameters: { USERNAME, PASSWORD },
    });
    return answer.AuthenticationResult;
  }

  async stop() {
    const exit = once(this.child, 'exit');
    this.child.kill();
    await exit;
    await rm(this.directory, { recursive: true });
  }
}
