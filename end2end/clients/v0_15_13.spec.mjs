// Prefect 0.15.13: keys, and the tokens that they replaced.
import { TOKEN } from '../support/team.mjs';
import { WHO, agentsWorkUntilRevoked, expect, expectFlow, test } from './test.mjs';
import { flowsRunUntilRevoked } from './flows.mjs';

test.use({ version: '0.15.13' });

test('a user logs in with a key, and creates, lists and revokes keys', async ({ client, team }) => {
  const token = team.key(team.person(), 'laptop');
  const login = await client.run(['auth', 'login', '--key', token]);
  expect(login.all).toContain(`(${team.slug})`);
  const made = await client.run(['auth', 'create-key', '--name', 'marvin', '--quiet']);
  expect(made.out, made.all).toMatch(TOKEN);
  const listed = await client.run(['auth', 'list-keys']);
  const id = /([0-9a-f-]{36})/.exec(listed.all.split('\n').find((line) => line.includes('marvin')))[1];
  expect((await client.run(['auth', 'revoke-key', '--id', id])).code).toBe(0);
  expect((await client.run(['auth', 'revoke-key', '--id', id])).code).toBe(1);
  const switched = await client.run(['auth', 'switch-tenants', '--slug', team.slug]);
  expect(switched.all).toContain('Tenant switched');
});

test('a key works in place of a token: login -t', async ({ client, team }) => {
  const token = team.key(team.person(), 'laptop');
  const login = await client.run(['auth', 'login', '-t', token]);
  expect(login.code, login.all).toBe(0);
  expect((await client.run(['auth', 'list-tenants'])).all).toContain(team.slug);
});

test('a key works in place of a token: PREFECT__CLOUD__AUTH_TOKEN', async ({ client, team }) => {
  const account = team.account('runner');
  const asked = await client.python(WHO, { PREFECT__CLOUD__AUTH_TOKEN: team.key(account, 'old place') });
  expect(asked.out, asked.all).toBe(account);
});

test('the token commands create, list and revoke keys', async ({ client, team }) => {
  await client.run(['auth', 'login', '--key', team.key(team.person(), 'laptop')]);
  const made = await client.run(['auth', 'create-token', '--name', 'my-runner', '--scope', 'RUNNER']);
  const token = /lks_[0-9A-Za-z]{38}/.exec(made.all)?.[0];
  expect(token, made.all).toBeTruthy();
  const listed = await client.run(['auth', 'list-tokens']);
  expect(listed.all).toContain('my-runner');
  const id = /([0-9a-f-]{36})/.exec(listed.all.split('\n').find((line) => line.includes('my-runner')))[1];
  expect((await client.run(['auth', 'revoke-token', '--id', id])).all).toContain('successfully revoked');
  await expect(team.ask(token, '{ hello }')).rejects.toThrow(/UNAUTHENTICATED/);
});

agentsWorkUntilRevoked('--key', '-t', 'PREFECT__CLOUD__API_KEY', 'PREFECT__CLOUD__AGENT__AUTH_TOKEN', '[cloud] api_key', '[cloud.agent] auth_token');

test("a user's key is refused as an agent token with a message", async ({ client, team }) => {
  const started = await client.run(['agent', 'local', 'start', '-t', team.key(team.person(), 'laptop')]);
  expect(started.code).toBe(1);
  expect(started.all).toContain('RUNNER');
});

test('a flow gets the token of its agent, and is refused once the key is revoked', async ({ client, team }) => {
  await expectFlow({ client, team, variable: 'PREFECT__CLOUD__AGENT__AUTH_TOKEN' });
});

flowsRunUntilRevoked({ login: ['auth', 'login', '--key'], run: ['run', '--name', 'trial', '--project', 'P'], agent: '--key' });
