// Token introspection (RFC 7662) with a library that others use for it: it discovers the endpoint (RFC 8414),
// authenticates in both standard ways, and checks the members of the answer.
import * as oauth from 'oauth4webapi';
import { latchkey } from '../support/server.mjs';
import { Team } from '../support/team.mjs';
import { expect, test } from '../support/test.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: 'orders-api' };

/** Returns the metadata of the server. */
async function discover() {
  const issuer = new URL(process.env.LATCHKEY_URL);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  return oauth.processDiscoveryResponse(issuer, answer);
}

async function introspect(authentication, token) {
  const server = await discover();
  const answer = await oauth.introspectionRequest(server, client, authentication, token, insecure);
  return oauth.processIntrospectionResponse(server, client, answer);
}

const waysWith = (secret) => [oauth.ClientSecretBasic(secret), oauth.ClientSecretPost(secret)];

test('a library for RFC 7662 learns what a key is, and nothing about a revoked key or one of another tenant', async ({ team }) => {
  const ada = team.person();
  const account = team.account('orders');
  const scopes = ['--scope', 'latchkey:verify'];
  const secret = latchkey(process.env.LATCHKEY_DATABASE, [
    'admin', 'create-key', '--tenant', team.slug, '--service-account', account, '--name', 'introspects', ...scopes,
  ]);
  const good = team.key(ada, 'good', '2099-01-31T00:00:00Z');
  const other = new Team();
  const foreign = other.key(other.person(), 'foreign');
  for (const way of waysWith(secret)) {
    const answer = await introspect(way, good);
    expect(answer).toMatchObject({ active: true, token_type: 'Bearer', sub: ada.id, tenant: team.slug, iss: process.env.LATCHKEY_URL });
    expect(answer.exp).toBe(Date.UTC(2099, 0, 31) / 1000);
    expect(answer.scope.split(' ')).toContain('latchkey:read');
    expect(await introspect(way, foreign)).toEqual({ active: false });
    expect(await introspect(way, 'lku_unknown')).toEqual({ active: false });
  }
  const { client_id: id } = await introspect(waysWith(secret)[0], good);
  latchkey(process.env.LATCHKEY_DATABASE, ['admin', 'revoke-key', id, '--tenant', team.slug]);
  for (const way of waysWith(secret)) expect(await introspect(way, good)).toEqual({ active: false });
  for (const way of waysWith(good)) {
    const refused = await introspect(way, good).catch((error) => error);
    expect(refused).toBeInstanceOf(oauth.WWWAuthenticateChallengeError);
    expect([refused.status, refused.cause[0].scheme]).toEqual([401, 'basic']);
  }
});
