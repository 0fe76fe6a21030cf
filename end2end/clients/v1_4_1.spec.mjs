// Prefect 1.4.1.
import { TOKEN } from '../support/team.mjs';
import { agentsOf, agentsWorkUntilRevoked, expect, expectFlow, test } from './test.mjs';
import { flowsRunUntilRevoked } from './flows.mjs';

test.use({ version: '1.4.1' });

test('a user logs in, and creates, lists and revokes keys', async ({ client, team }) => {
  const token = team.key(team.person(), 'laptop');
  const login = await client.run(['auth', 'login', '--key', token]);
  expect(login.all).toContain(`Logged in to Prefect Cloud tenant '${team.name}' (${team.slug})`);
  expect((await client.run(['auth', 'status'])).all).toContain('You are logged in');
  expect((await client.run(['auth', 'list-tenants'])).all).toContain(team.slug);

  const made = await client.run(['auth', 'create-key', '--name', 'marvin', '--quiet']);
  expect(made.code, made.all).toBe(0);
  expect(made.out).toMatch(TOKEN);
  const dated = await client.run(['auth', 'create-key', '--name', 'dated', '--expire', '2031-01-31T05:00:00', '--quiet']);
  expect(dated.out, dated.all).toMatch(TOKEN);
  const listed = await client.run(['auth', 'list-keys']);
  expect(listed.all).toMatch(/marvin.*NEVER/s);
  expect(listed.all).toContain('2031-01-31T');
  expect(listed.all).not.toContain(made.out);

  const id = /([0-9a-f-]{36})/.exec(listed.all.split('\n').find((line) => line.includes('marvin')))[1];
  const revoked = await client.run(['auth', 'revoke-key', '--id', id]);
  expect(revoked.code, revoked.all).toBe(0);
  for (const gone of [id, 'no-uuid', '00000000-0000-4000-8000-000000000000']) {
    const again = await client.run(['auth', 'revoke-key', '--id', gone]);
    expect(again.all).toContain(`Unable to revoke key '${gone}'`);
    expect(again.code).toBe(1);
  }
  const refused = await client.run(['auth', 'login', '--key', made.out]);
  expect(refused.all).toContain('Unauthorized');
  expect(refused.code).toBe(1);
});

test('a wrong key, a revoked key and another tenant are refused with a message', async ({ client, team }) => {
  const wrong = await client.run(['auth', 'login', '--key', 'lku_wrong']);
  expect(wrong.all).toContain('Unauthorized. Invalid Prefect Cloud API key.');
  expect(wrong.code).toBe(1);
  const admin = team.key(team.person(), 'admin');
  const token = team.key(team.person(), 'laptop');
  await team.ask(token, '{ hello }');
  const status = (env) => client.run(['auth', 'status'], env);
  expect((await status({ PREFECT__CLOUD__API_KEY: token })).all).toContain('You are logged in');
  expect((await status({ PREFECT__CLOUD__API_KEY: 'lku_wrong' })).all).toContain('Your authentication is not working');
  expect((await client.run(['auth', 'login', '--key', admin])).code).toBe(0);
  const elsewhere = await client.run(['auth', 'switch-tenants', '--id', '00000000-0000-4000-8000-000000000000']);
  expect(elsewhere.code).toBe(1);
  expect(elsewhere.all).not.toContain('Tenant switched');
});

test('a service account logs in and sees the keys of the service accounts', async ({ client, team }) => {
  const account = team.account('deployer');
  const token = team.key(account, 'deploys');
  const login = await client.run(['auth', 'login', '--key', token]);
  expect(login.all).toContain(`(${team.slug})`);
  expect((await client.run(['auth', 'list-keys'])).all).toContain('deploys');
  const made = await client.run(['auth', 'create-key', '--name', 'second', '--quiet']);
  expect(made.out, made.all).toMatch(/^lks_/);
});

agentsWorkUntilRevoked('--key', 'PREFECT__CLOUD__API_KEY', '[cloud] api_key');

test('an agent is cut off with its service account', async ({ client, team }) => {
  const admin = team.key(team.person(), 'admin');
  const account = team.account('runner');
  const agent = client.start(['agent', 'local', 'start', '--key', team.key(account, 'agents'), '--name', 'night']);
  await expect.poll(async () => (await agentsOf(team, admin)).map((row) => [row.name, row.type, row.version, row.state])).toEqual([['night', 'LocalAgent', '1.4.1', 'polling']]);
  await team.ask(admin, `mutation { delete_service_account(id: "${account}") { state } }`);
  await expect.poll(agent.said).toMatch(/AuthorizationError/);
  expect((await agentsOf(team, admin))[0].state).toBe('cut_off');
});

test('a flow gets the key of its agent, and is refused once the key is revoked', async ({ client, team }) => {
  await expectFlow({ client, team, variable: 'PREFECT__CLOUD__API_KEY' });
});

flowsRunUntilRevoked({ login: ['auth', 'login', '--key'], run: ['run', '--name', 'trial', '--project', 'P'], agent: '--key' });
