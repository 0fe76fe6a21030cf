// The `test` of these tests: a client of the version under test, and a separate tenant.
import { test as base, expect } from '@playwright/test';
import { Team } from '../support/team.mjs';
import { Client } from './client.mjs';

export { expect };

export const test = base.extend({
  version: ['', { option: true }],
  team: async ({}, use) => use(new Team()),
  client: async ({ version }, use) => {
    const client = new Client(version, process.env.LATCHKEY_URL);
    await use(client);
    await client.close();
  },
});

/** The tenant's agents, as an administrator sees them. */
export const agentsOf = async (team, admin) => (await team.ask(admin, '{ agents { name type labels version state api_key_name } }')).agents;

/** Revokes a key as an administrator. */
export async function revoke(team, admin, name) {
  const { auth_api_key: keys } = await team.ask(admin, '{ auth_api_key { id name } }');
  const { id } = keys.find((key) => key.name === name);
  const { delete_api_key: done } = await team.ask(admin, 'mutation($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }', { input: { key_id: id } });
  expect(done.success).toBe(true);
}

/** Checks that an agent registers and polls, and that it is cut off and can't restart once its key is revoked. */
async function expectAgent({ client, team, args, env, keyName }) {
  const admin = team.key(team.person(), 'watcher');
  const agent = client.start(args, env);
  await expect.poll(async () => (await agentsOf(team, admin)).map((row) => [row.state, row.api_key_name]), { message: agent.said() }).toEqual([['polling', keyName]]);
  await expect.poll(agent.said).toMatch(/Waiting for flow runs|waiting for flow runs|Agent connected/i);
  expect(agent.isRunning()).toBe(true);
  await revoke(team, admin, keyName);
  await expect.poll(agent.said).toMatch(/UNAUTHENTICATED/);
  expect((await agentsOf(team, admin)).map((row) => row.state)).toEqual(['cut_off']);
  const second = await client.run(args, env);
  expect(second.code, second.all).toBe(1);
  expect(await agentsOf(team, admin)).toHaveLength(1);
}

const byConfig = (section, name) => (token, client) => {
  client.configure(`[${section}]\n${name} = "${token}"\n`);
  return { args: ['agent', 'local', 'start'] };
};
const byFlag = (flag) => (token) => ({ args: ['agent', 'local', 'start', flag, token] });
const byVariable = (name) => (token) => ({ args: ['agent', 'local', 'start'], env: { [name]: token } });

/** The documented ways to pass a key to an agent. */
const WAYS = {
  '--key': byFlag('--key'),
  '-t': byFlag('-t'),
  PREFECT__CLOUD__API_KEY: byVariable('PREFECT__CLOUD__API_KEY'),
  PREFECT__CLOUD__AGENT__AUTH_TOKEN: byVariable('PREFECT__CLOUD__AGENT__AUTH_TOKEN'),
  '[cloud] api_key': byConfig('cloud', 'api_key'),
  '[cloud.agent] auth_token': byConfig('cloud.agent', 'auth_token'),
};

/** Defines a test for each of the given ways. */
export function agentsWorkUntilRevoked(...ways) {
  for (const way of ways) {
    test(`an agent started by ${way} works until its key is revoked`, async ({ client, team }) => {
      const token = team.key(team.account('runner'), 'agents');
      await expectAgent({ client, team, keyName: 'agents', ...WAYS[way](token, client) });
    });
  }
}

const HANDED_ON = [
  'import json',
  'from prefect.agent.local import LocalAgent',
  'from prefect.utilities.graphql import GraphQLResult',
  'run = GraphQLResult({"id": "1", "name": "r", "flow": {"id": "2"}, "run_config": {"env": None}})',
  'print(json.dumps(LocalAgent().populate_env_vars(run)))',
].join('\n');

/** Part of a flow: prints the owner of the key that its client uses. */
export const WHO = 'from prefect import Client\nprint(Client().graphql("query { auth_info { user_id } }").data.auth_info.user_id)';

/** Checks that a flow gets the key that its agent has from `variable`, and is refused once the key is revoked. */
export async function expectFlow({ client, team, variable }) {
  const admin = team.key(team.person(), 'admin');
  const account = team.account('runner');
  const handed = await client.python(HANDED_ON, { [variable]: team.key(account, 'agents') });
  expect(handed.code, handed.all).toBe(0);
  const env = Object.fromEntries(Object.entries(JSON.parse(handed.out)).filter(([name]) => name.startsWith('PREFECT__')));
  const works = await client.python(WHO, env);
  expect(works.out, works.all).toBe(account);
  await revoke(team, admin, 'agents');
  const refused = await client.python(WHO, env);
  expect(refused.code).not.toBe(0);
  expect(refused.all).toContain('AuthorizationError');
}
