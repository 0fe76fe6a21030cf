// Prefect 3, server and client unmodified, through a gateway: as its guide sets it up.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { launchOptions } from '../support/browser.mjs';
import { latchkey, start } from '../support/server.mjs';
import { PASSWORD } from '../support/team.mjs';
import { Client } from './client.mjs';
import { expect, test } from './test.mjs';

const GUIDE = new URL('../../server/docs/guide/gateway.md', import.meta.url);
const OWN = 'admin:own-secret';

// A server, three command lines and two workers in Python start one after the other.
test.setTimeout(400_000);
test.skip(!existsSync(join(process.env.LATCHKEY_CLIENTS ?? '', 'prefect-3')), 'there is no Python 3.10 or newer');

const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  });
});

/** The gateway that the guide shows for Prefect, between other ports. */
function documented(gateway, upstream) {
  const [block] = /\[\[gateway\]\]\nname = "prefect"[^]*?(?=\n\[\[gateway\]\]|\n```)/.exec(readFileSync(GUIDE, 'utf8'));
  return block
    .replace('127.0.0.1:8002', `127.0.0.1:${gateway}`)
    .replace('127.0.0.1:4200', `127.0.0.1:${upstream}`)
    .replace(/upstream_authorization_file = .*/, `upstream_authorization = "Basic ${Buffer.from(OWN).toString('base64')}"`)
    .replace(/^tenant = .*$/m, '');
}

const FLOW = `
import time
from prefect import flow, get_run_logger, task

@task
def step(n):
    get_run_logger().info("step %s of the flow", n)
    time.sleep(0.1)

@flow
def numbers(count: int = 3):
    for n in range(count):
        step(n)
`;

const test3 = test.extend({
  /** A Prefect server behind a gateway, and a client of it. */
  prefect: async ({}, use, info) => {
    const [gateway, upstream] = [await freePort(), await freePort()];
    const config = info.outputPath('latchkey.toml');
    writeFileSync(config, documented(gateway, upstream));
    let account;
    const prepare = (database) => {
      latchkey(database, ['migrate']);
      latchkey(database, ['admin', 'create-tenant', '--name', 'Acme', '--slug', 'acme']);
      account = latchkey(database, ['admin', 'create-service-account', '--tenant', 'acme', '--name', 'Worker']);
    };
    const site = await start({ prepare, env: { LATCHKEY_CONFIG: config, LATCHKEY_DRAIN_DELAY: '0' } });
    const [server, client] = [new Client('3', ''), new Client('3', '')];
    server.start(['server', 'start', '--host', '127.0.0.1', '--port', `${upstream}`], { PREFECT_SERVER_API_AUTH_STRING: OWN, PREFECT_SERVER_ANALYTICS_ENABLED: 'false' });
    const url = `http://127.0.0.1:${gateway}/api`;
    const isUp = () => fetch(`${url}/health`).then((answer) => answer.ok, () => false);
    await expect.poll(isUp, 'the path of the health check is public').toBe(true);
    writeFileSync(join(client.home, 'flow.py'), FLOW);
    const cli = (...args) => latchkey(site.database, ['admin', ...args, '--tenant', 'acme']);
    const key = (name, owner = account) => cli('create-key', '--service-account', owner, '--name', name);
    const readerKey = () => key('reader', cli('create-service-account', '--name', 'Reader', '--role', 'READ_ONLY_USER'));
    /** Adds an administrator. */
    const addPerson = (email, password) =>
      latchkey(site.database, ['admin', 'create-user', '--tenant', 'acme', '--email', email, '--name', 'Ada', '--role', 'TENANT_ADMIN', '--password-stdin'], password);
    const revoke = (name) => {
      const rows = cli('list-keys', '--json').split('\n').map((line) => JSON.parse(line));
      cli('revoke-key', rows.find((row) => row.name === name).id);
    };
    /** Asks the API with a key. */
    const ask = async (token, path, body) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      expect(answer.status, path).toBeLessThan(300);
      return answer.json();
    };
    await use({ url, client, key, readerKey, addPerson, revoke, ask });
    await client.close();
    await server.close();
    await site.stop();
  },
});

const WAYS = {
  PREFECT_API_AUTH_STRING: (token) => ({ PREFECT_API_AUTH_STRING: `latchkey:${token}` }),
  'PREFECT_API_KEY and PREFECT_CLIENT_CUSTOM_HEADERS': (token) => ({
    PREFECT_API_KEY: token,
    PREFECT_CLIENT_CUSTOM_HEADERS: JSON.stringify({ Authorization: `Bearer ${token}` }),
  }),
};

test3('a Read only key reads and changes nothing', async ({ prefect }) => {
  const { url, client, key, readerKey } = prefect;
  const run = (token, args) => client.run(args, { PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: `latchkey:${token}` });
  const made = await run(key('first'), ['work-pool', 'create', '--type', 'process', 'pool']);
  expect(made.code, made.all).toBe(0);
  const reader = readerKey();
  const listed = await run(reader, ['work-pool', 'ls']);
  expect(listed.code, listed.all).toBe(0);
  expect(listed.all).toContain('pool');
  const refused = await run(reader, ['work-pool', 'create', '--type', 'process', 'other']);
  expect(refused.code, refused.all).not.toBe(0);
  expect(refused.all).toContain('You can only read here with the role Read only.');
});

test3('people open the page of the server with their session', async ({ prefect }) => {
  prefect.addPerson('ada@example.org', PASSWORD);
  const browser = await chromium.launch(launchOptions());
  try {
    const page = await browser.newPage();
    const home = new URL('/', prefect.url).href;
    await page.goto(home);
    await page.getByLabel('Email').fill('ada@example.org');
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL((at) => at.href.startsWith(home));
    await expect(page).toHaveTitle(/Prefect/);
    // The page's own requests, to read and by which it reads.
    const statuses = await page.evaluate(async () => {
      const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
      const answers = [await fetch('/api/admin/version'), await fetch('/api/flow_runs/filter', post)];
      return answers.map(({ status }) => status);
    });
    expect(statuses).toEqual([200, 200]);
  } finally {
    await browser.close();
  }
});

for (const [way, settings] of Object.entries(WAYS)) {
  test3(`a worker runs flows with a key in ${way}, until it is revoked`, async ({ prefect }) => {
    const { url, client, key, revoke, ask } = prefect;
    const [first, second] = [key('first'), key('second')];
    const env = (token) => ({ PREFECT_API_URL: url, PREFECT_WORKER_QUERY_SECONDS: '1', ...settings(token) });
    const run = async (token, args) => {
      const done = await client.run(args, env(token));
      expect(done.code, done.all).toBe(0);
      return done.all;
    };
    const statesOf = async (token, of, filter = {}) => (await ask(token, `/${of}/filter`, { sort: of === 'flow_runs' ? 'START_TIME_ASC' : 'EXPECTED_START_TIME_ASC', ...filter })).map((row) => row.state_type);

    await run(first, ['work-pool', 'create', '--type', 'process', 'pool']);
    const deploy = `from prefect import flow\nflow.from_source(source=${JSON.stringify(client.home)}, entrypoint="flow.py:numbers").deploy(name="d", work_pool_name="pool", print_next_steps=False)`;
    const deployed = await client.python(deploy, env(first));
    expect(deployed.code, deployed.all).toBe(0);
    const worker = client.start(['worker', 'start', '--pool', 'pool', '--name', 'night'], env(first));
    await run(first, ['deployment', 'run', 'numbers/d']);
    await expect.poll(() => statesOf(first, 'flow_runs'), { message: worker.said() }).toEqual(['COMPLETED']);
    // The states of tasks are sent by websocket only.
    await expect.poll(() => statesOf(first, 'task_runs')).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
    await expect.poll(async () => (await ask(first, '/logs/filter', {})).map((row) => row.message)).toContain('step 2 of the flow');

    await run(first, ['deployment', 'run', 'numbers/d', '--param', 'count=600']);
    await expect.poll(worker.said).toMatch(/step 5 of the flow/);
    const before = worker.said().length;
    revoke('first');
    const since = Date.now();
    const after = () => worker.said().slice(before);
    await expect.poll(after, { intervals: [20] }).toMatch(/401 Unauthorized/);
    expect(Date.now() - since).toBeLessThan(2_000);
    await expect.poll(after).toMatch(/1008 \(policy violation\) This API key isn't valid any more/);
    // The flow goes on to the end of its code, and can report nothing.
    expect(await statesOf(second, 'flow_runs')).toEqual(['COMPLETED', 'RUNNING']);
    const tasks = (await statesOf(second, 'task_runs', { limit: 200 })).length;
    const refused = await client.run(['work-pool', 'ls'], env(first));
    expect(refused.code, refused.all).toBe(1);
    expect(refused.all).toContain('401 Unauthorized');

    // A new key, and it goes on.
    client.start(['worker', 'start', '--pool', 'pool', '--name', 'night'], env(second));
    await run(second, ['deployment', 'run', 'numbers/d']);
    await expect.poll(() => statesOf(second, 'flow_runs').then((all) => all.filter((one) => one === 'COMPLETED').length)).toBe(2);
    const count = () => statesOf(second, 'task_runs', { limit: 200 }).then((all) => all.length);
    await expect.poll(count).toBeGreaterThanOrEqual(tasks + 3);
    // What was sent before the revocation may have been stored after it; what the flow has done since never is.
    expect(await count()).toBeLessThan(tasks + 10);
  });
}
