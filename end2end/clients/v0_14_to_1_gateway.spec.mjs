// Prefect 0.14 to 1.x, unmodified, through a gateway. The server behind it is the one of the other tests: it speaks the protocol of
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
        names = ("PREFECT__CLOUD__API_KEY", "PREFECT__CLOUD__AUTH_TOKEN")
        file.write(next(os.environ[name] for name in names if os.environ.get(name)))

with Flow("trial") as flow:
    hold()
`;

const WITH_KEYS = { login: '--key', create: ['create-key'], list: 'list-keys', said: '(acme)', run: ['run'] };
/** How each version passes on a key, and creates one. */
const VERSIONS = {
  '1.4.1': WITH_KEYS,
  '0.15.13': WITH_KEYS,
  // Knows tokens only, so keys take their place.
  '0.14.22': { login: '-t', create: ['create-token', '--scope', 'RUNNER'], list: 'list-tokens', said: 'successful', run: ['run', 'flow'] },
};

const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

for (const [version, commands] of Object.entries(VERSIONS)) test(`${version}: keys are those of Latchkey, and flows run on the server behind it until the key is revoked`, async ({ team }, info) => {
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
  const client = new Client(version, `http://127.0.0.1:${gateway}`);
  try {
    const cli = (...args) => latchkey(site.database, ['admin', ...args, '--tenant', 'acme']);
    const key = (name) => cli('create-key', '--service-account', account, '--name', name);
    const run = async (...args) => {
      const done = await client.run(args);
      expect(done.code, done.all).toBe(0);
      return done.all;
    };
    expect(await run('auth', 'login', commands.login, key('laptop'))).toContain(commands.said);
    await run('auth', ...commands.create, '--name', 'second');
    expect(await run('auth', commands.list)).toContain('second');
    expect(await run('create', 'project', 'P')).toContain('P created');
    const path = client.write('trial.py', FLOW(client.home));
    expect(await run('register', '--project', 'P', '--path', path, '--label', 'trial')).toContain('1 registered');
    await run(...commands.run, '--name', 'trial', '--project', 'P');

    const token = key('agents');
    const agent = client.start(['agent', 'local', 'start', commands.login, token, '--name', 'night', '--label', 'trial']);
    const states = async () => (await team.ask(upstreamKey, '{ flow_runs { items { state agent } } }')).flow_runs.items;
    await expect.poll(states, { message: agent.said(), timeout: 120_000 }).toEqual([{ state: 'Success', agent: 'night' }]);
    expect(client.read('held')).toBe(token);

    const rows = cli('list-keys', '--json').split('\n').map((line) => JSON.parse(line));
    cli('revoke-key', rows.find((row) => row.name === 'agents').id);
    await expect.poll(agent.said).toMatch(/UNAUTHENTICATED/);
    await run(...commands.run, '--name', 'trial', '--project', 'P');
    expect((await states()).map((row) => row.state).sort()).toEqual(['Scheduled', 'Success']);
  } finally {
    await client.close();
    await site.stop();
  }
});
