// Prefect 0.14.22: knows only tokens, so keys are used in their place.
import { agentsWorkUntilRevoked, expect, test } from './test.mjs';
import { flowsRunUntilRevoked } from './flows.mjs';

test.use({ version: '0.14.22' });

test('a key logs in as a token, and the token commands create, list and revoke keys', async ({ client, team }) => {
  const login = await client.run(['auth', 'login', '-t', team.key(team.person(), 'laptop')]);
  expect(login.code, login.all).toBe(0);
  expect(login.all).toMatch(/login successful/i);
  expect((await client.run(['auth', 'list-tenants'])).all).toContain(team.slug);
  const made = await client.run(['auth', 'create-token', '--name', 'my-runner', '--scope', 'RUNNER']);
  const token = /lks_[0-9A-Za-z]{38}/.exec(made.all)?.[0];
  expect(token, made.all).toBeTruthy();
  const listed = await client.run(['auth', 'list-tokens']);
  expect(listed.all).toContain('my-runner');
  const id = /([0-9a-f-]{36})/.exec(listed.all.split('\n').find((line) => line.includes('my-runner')))[1];
  expect((await client.run(['auth', 'revoke-token', '--id', id])).all).toContain('successfully revoked');
  await expect(team.ask(token, '{ hello }')).rejects.toThrow(/UNAUTHENTICATED/);
});

test('a wrong key is refused with a message', async ({ client }) => {
  const login = await client.run(['auth', 'login', '-t', 'lku_wrong']);
  expect(login.all).toContain('Error attempting to use Prefect API token');
});

agentsWorkUntilRevoked('-t', 'PREFECT__CLOUD__AGENT__AUTH_TOKEN', '[cloud.agent] auth_token');

flowsRunUntilRevoked({ login: ['auth', 'login', '-t'], run: ['run', 'flow', '--name', 'trial', '--project', 'P'], agent: '-t' });
