// Prefect 1.4.1, unmodified, through a gateway. The server behind it is the one of the other tests: it speaks the protocol of
// Prefect's server, and refuses every other tenant than its own.
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { latchkey, start } from '../support/server.mjs';
import { Client } from './client.mjs';
import { expect, test } from './test.mjs';

const FLOW = (home) => `
import os, time
from prefect import Flow, task

@task
def hold():
    with open("${home}/held", "w") as file:
        file.write(os.environ["PREFECT__CLOUD__API_KEY"])

with Flow("trial") as flow:
    hold()
`;

const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

test('keys are those of Latchkey, and flows run on the server behind it until the key is revoked', async ({ team }, info) => {
  const gateway = await freePort();
  const upstreamKey = team.key(team.account('gateway'), 'gateway');
  const config = info.outputPath('latchkey.toml');
  const lines = [
    '[[gateway]]', 'name = "prefect-server"', `listen = "127.0.0.1:${gateway}"`, `upstream = "${process.env.LATCHKEY_URL}"`,
    'protocol = "prefect1"', `upstream_tenant_id = "${team.id}"`, `upstream_authorization = "Bearer ${upstreamKey}"`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  let account;
  const prepare = (database) => {
    latchkey(database, ['migrate']);
    latchkey(database, ['admin', 'create-tenant', '--name', 'Acme', '--slug', 'acme']);
    account = latchkey(database, ['admin', 'create-service-account', '--tenant', 'acme', '--name', 'Runner']);
  };
  const site = await start({ prepare, env: { LATCHKEY_CONFIG: config, LATCHKEY_DRAIN_DELAY: '0', LATCHKEY_FLOW_RUNS: 'false' } });
  const client = new Client('1.4.1', `http://127.0.0.1:${gateway}`);
  try {
    const cli = (...args) => latchkey(site.database, ['admin', ...args, '--tenant', 'acme']);
    const key = (name) => cli('create-key', '--service-account', account, '--name', name);
    const run = async (...args) => {
      const done = await client.run(args);
      expect(done.code, done.all).toBe(0);
      return done.all;
    };
    expect(await run('auth', 'login', '--key', key('laptop'))).toContain('(acme)');
    await run('auth', 'create-key', '--name', 'second', '--quiet');
    expect(await run('auth', 'list-keys')).toContain('second');
    expect(await run('create', 'project', 'P')).toContain('P created');
    const path = client.write('trial.py', FLOW(client.home));
    expect(await run('register', '--project', 'P', '--path', path, '--label', 'trial')).toContain('1 registered');
    await run('run', '--name', 'trial', '--project', 'P');

    const token = key('agents');
    const agent = client.start(['agent', 'local', 'start', '--key', token, '--name', 'night', '--label', 'trial']);
    const states = async () => (await team.ask(upstreamKey, '{ flow_runs { items { state agent } } }')).flow_runs.items;
    await expect.poll(states, { message: agent.said(), timeout: 120_000 }).toEqual([{ state: 'Success', agent: 'night' }]);
    expect(client.read('held')).toBe(token);

    const rows = cli('list-keys', '--json').split('\n').map((line) => JSON.parse(line));
    cli('revoke-key', rows.find((row) => row.name === 'agents').id);
    await expect.poll(agent.said).toMatch(/UNAUTHENTICATED/);
    await run('run', '--name', 'trial', '--project', 'P');
    expect((await states()).map((row) => row.state).sort()).toEqual(['Scheduled', 'Success']);
  } finally {
    await client.close();
    await site.stop();
  }
});
