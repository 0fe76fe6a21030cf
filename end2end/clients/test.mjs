// The tests' `test`: a client of the version that the file is about, and a tenant of one's own.
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

/** Ends a key, as an administrator. */
export async function revoke(team, admin, name) {
  const { auth_api_key: keys } = await team.ask(admin, '{ auth_api_key { id name } }');
  const { id } = keys.find((key) => key.name === name);
  const { delete_api_key: done } = await team.ask(admin, 'mutation($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }', { input: { key_id: id } });
  expect(done.success).toBe(true);
}

/** An agent that is started with `args` and `env` registers, polls, is cut off with its key, and can't start again. */
export async function expectAgent({ client, team, args, env, keyName, again }) {
  const admin = team.key(team.person(), 'watcher');
  const agent = client.start(args, env);
  await expect.poll(async () => (await agentsOf(team, admin)).map((row) => [row.state, row.api_key_name]), { message: agent.said() }).toEqual([['polling', keyName]]);
  await expect.poll(agent.said).toMatch(/Waiting for flow runs|waiting for flow runs|Agent connected/i);
  expect(agent.isRunning()).toBe(true);
  await revoke(team, admin, keyName);
  await expect.poll(agent.said).toMatch(/UNAUTHENTICATED/);
  expect((await agentsOf(team, admin)).map((row) => row.state)).toEqual(['cut_off']);
  const restart = again ?? { args, env };
  const second = await client.run(restart.args, restart.env);
  expect(second.code, second.all).toBe(1);
  expect(await agentsOf(team, admin)).toHaveLength(1);
}
