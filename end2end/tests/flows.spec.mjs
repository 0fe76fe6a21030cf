// The runs of an account's agents on its page, from a server of its own with the backend for flow runs.
import { gzipSync } from 'node:zlib';
import { expectAccessible } from '../support/accessible.mjs';
import { start } from '../support/server.mjs';
import { expect, test as base } from '../support/test.mjs';
import { Team } from '../support/team.mjs';

const test = base.extend({
  baseURL: async ({}, use) => {
    const server = await start({ env: { LATCHKEY_FLOW_RUNS: 'true' } });
    const { LATCHKEY_URL, LATCHKEY_DATABASE, LATCHKEY_FOLDER } = process.env;
    Object.assign(process.env, { LATCHKEY_URL: server.url, LATCHKEY_DATABASE: server.database, LATCHKEY_FOLDER: server.folder });
    await use(server.url);
    Object.assign(process.env, { LATCHKEY_URL, LATCHKEY_DATABASE, LATCHKEY_FOLDER });
    await server.stop();
  },
  // Belongs to the server, so it is created after it.
  team: async ({ baseURL }, use) => use(baseURL && new Team()),
});

const mutate = (team, token, name, input) => team.ask(token, `mutation($input: ${name}_input!) { ${name}(input: $input) { ${name.startsWith('set_') ? 'states { status }' : 'id'} } }`, { input });

/** Registers a flow. Returns what creates a run and, with a key, takes it and reports its end. */
async function backend(team, user) {
  const { create_project: project } = await mutate(team, user, 'create_project', { name: 'Nightly' });
  const content = JSON.stringify({ name: 'etl', tasks: [{ slug: 'load-1', name: 'load' }], edges: [] });
  const serialized_flow = gzipSync(content).toString('base64');
  const { create_flow_from_compressed_string: flow } = await mutate(team, user, 'create_flow_from_compressed_string', { project_id: project.id, serialized_flow });
  const run = async (flow_run_name) => (await mutate(team, user, 'create_flow_run', { flow_id: flow.id, flow_run_name })).create_flow_run.id;
  const report = (key, flow_run_id, type) => mutate(team, key, 'set_flow_run_states', { states: [{ flow_run_id, state: { type } }] });
  return { run, report };
}

test('the runs of an account’s agents are listed with their state and key, in pages @both', async ({ team, page, signIn, scripted }) => {
  const ada = team.person();
  const user = team.key(ada, 'laptop');
  const account = team.account('runner');
  const key = team.key(account, 'agents');
  const path = `/team/service-accounts/${account}`;
  await signIn(ada, path);
  const section = page.getByRole('region', { name: 'Flow runs' });
  await expect(section).toContainText('No agent has run a flow with these keys yet.');
  await expect(section.getByRole('link', { name: 'How to run a flow' })).toHaveAttribute('href', '/docs/service-accounts-and-agents');

  const { run, report } = await backend(team, user);
  for (let number = 1; number <= 21; number += 1) {
    const id = await run(`run ${number}`);
    await report(key, id, 'Running');
    if (number === 20) await report(key, id, 'Success');
    if (number === 21) await report(key, id, 'Failed');
  }
  await run('waiting');
  await page.reload();
  await expect(section.getByRole('row')).toHaveCount(21);
  const row = (name) => section.getByRole('row').filter({ has: page.getByText(name, { exact: true }) });
  await expect(row('run 21')).toContainText('Failed');
  await expect(row('run 20')).toContainText('Success');
  await expect(row('run 20')).toContainText('etl in Nightly');
  await expect(row('run 19')).toContainText('Running');
  await expect(row('run 20').getByRole('link', { name: 'agents' })).toHaveAttribute('href', new RegExp(`^${path}/keys/`));
  await expect(section).not.toContainText('waiting');
  if (scripted) await expectAccessible(page);
  await section.getByRole('link', { name: 'Older' }).click();
  await expect(section.getByRole('row')).toHaveCount(2);
  await expect(row('run 1')).toBeVisible();
  await section.getByRole('link', { name: 'Newer' }).click();
  await expect(row('run 21')).toBeVisible();

  await page.setViewportSize({ width: 390, height: 800 });
  await expect(row('run 21')).toBeVisible();
  const overflows = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  expect(overflows, 'wider than a phone').toBe(false);
});
