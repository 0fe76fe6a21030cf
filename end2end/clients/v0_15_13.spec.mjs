// Prefect 0.15.13: keys, and the tokens that keys have replaced.
import { TOKEN } from '../support/team.mjs';
import { expect, expectAgent, revoke, test } from './test.mjs';

test.use({ version: '0.15.13' });

test('a person logs in with a key, and makes, lists and revokes keys', async ({ client, team }) => {
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

test('a key works where a token was put: login -t', async ({ client, team }) => {
  const token = team.key(team.person(), 'laptop');
  const login = await client.run(['auth', 'login', '-t', token]);
  expect(login.code, login.all).toBe(0);
  expect((await client.run(['auth', 'list-tenants'])).all).toContain(team.slug);
});

test('a key works where a token was put: PREFECT__CLOUD__AUTH_TOKEN', async ({ client, team }) => {
  const account = team.account('runner');
  const code = 'from prefect import Client\nprint(Client().graphql("query { auth_info { user_id } }").data.auth_info.user_id)';
  const asked = await client.python(code, { PREFECT__CLOUD__AUTH_TOKEN: team.key(account, 'old place') });
  expect(asked.out, asked.all).toBe(account);
});

test('the commands for tokens make, list and revoke keys', async ({ client, team }) => {
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

const STARTS = {
  'the flag --key': (token) => ({ args: ['agent', 'local', 'start', '--key', token] }),
  'the flag -t': (token) => ({ args: ['agent', 'local', 'start', '-t', token] }),
  'PREFECT__CLOUD__API_KEY': (token) => ({ args: ['agent', 'local', 'start'], env: { PREFECT__CLOUD__API_KEY: token } }),
  'PREFECT__CLOUD__AGENT__AUTH_TOKEN': (token) => ({ args: ['agent', 'local', 'start'], env: { PREFECT__CLOUD__AGENT__AUTH_TOKEN: token } }),
  '[cloud.agent] auth_token': (token, client) => {
    client.configure(`[cloud.agent]\nauth_token = "${token}"\n`);
    return { args: ['agent', 'local', 'start'] };
  },
};
for (const [way, begin] of Object.entries(STARTS)) {
  test(`an agent started by ${way} works until its key is revoked`, async ({ client, team }) => {
    const token = team.key(team.account('runner'), 'agents');
    await expectAgent({ client, team, keyName: 'agents', ...begin(token, client) });
  });
}

test("a person's key is told that it can't run agents by token", async ({ client, team }) => {
  const started = await client.run(['agent', 'local', 'start', '-t', team.key(team.person(), 'laptop')]);
  expect(started.code).toBe(1);
  expect(started.all).toContain('RUNNER');
});

test('a flow gets the token of its agent, and is refused when the agent is', async ({ client, team }) => {
  const admin = team.key(team.person(), 'admin');
  const account = team.account('runner');
  const handed = await client.python(
    [
      'import json',
      'from prefect.agent.local import LocalAgent',
      'from prefect.utilities.graphql import GraphQLResult',
      'run = GraphQLResult({"id": "1", "name": "r", "flow": {"id": "2"}, "run_config": {"env": None}})',
      'print(json.dumps(LocalAgent().populate_env_vars(run)))',
    ].join('\n'),
    { PREFECT__CLOUD__AGENT__AUTH_TOKEN: team.key(account, 'agents') },
  );
  expect(handed.code, handed.all).toBe(0);
  const env = Object.fromEntries(Object.entries(JSON.parse(handed.out)).filter(([name]) => name.startsWith('PREFECT__')));
  const flow = 'from prefect import Client\nprint(Client().graphql("query { auth_info { user_id } }").data.auth_info.user_id)';
  expect((await client.python(flow, env)).out).toBe(account);
  await revoke(team, admin, 'agents');
  expect((await client.python(flow, env)).all).toContain('AuthorizationError');
});
