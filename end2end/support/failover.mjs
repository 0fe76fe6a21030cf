// Kills the leader of a PostgreSQL cluster while keys are created and revoked over two servers, one behind HAProxy and
// one with the addresses of all database servers. After each kill, no revocation that was acknowledged may be undone.
//
//     node support/failover.mjs BINARY KILLS
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster, until } from './cluster.mjs';

const [binary, kills] = [process.argv[2], Number(process.argv[3])];
const isSynchronous = process.env.SYNC !== 'off';
const WORKERS = 8;

const folder = mkdtempSync(join(tmpdir(), 'latchkey-failover.'));
const cluster = new Cluster(folder, isSynchronous);
const servers = [];
const counts = { kills: 0, created: 0, revoked: 0, unanswered: 0, checked: 0, lost: 0, restarts: 0 };
const recoveries = [];

function latchkey(...args) {
  const env = { ...process.env, LATCHKEY_DATABASE_URL: cluster.urls[0] };
  return execFileSync(binary, args, { env, stdio: ['ignore', 'pipe', 'inherit'] }).toString().trim();
}

async function serve(database) {
  const env = { ...process.env, LATCHKEY_DATABASE_URL: database };
  const log = openSync(join(folder, `latchkey-${servers.length}.log`), 'w');
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0'], { env, stdio: ['ignore', 'pipe', log] });
  const server = { child };
  let text = '';
  child.stdout.on('data', (data) => (text += data));
  child.on('exit', () => (server.hasEnded = true));
  server.url = await until('a server', 30_000, () => text.match(/listening on (http:\/\/\S+)/)?.[1]);
  return server;
}

async function post(server, path, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  try {
    const signal = AbortSignal.timeout(20_000);
    const answer = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body), signal });
    const value = await answer.json();
    return answer.status === 200 && !value.errors ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Creates and revokes keys until it is told to stop. `revoked` gets the tokens whose revocation was acknowledged. */
async function work(server, owner, state) {
  while (!state.isOver) {
    const create = `mutation { create_api_key(input: { user_id: "${owner.account}", name: "ci" }) { id token } }`;
    const made = (await post(server, '/graphql', { query: create }, owner.token))?.data.create_api_key;
    if (!made) {
      await pause(20);
      continue;
    }
    counts.created += 1;
    const query = `mutation { delete_api_key(input: { key_id: "${made.id}" }) { success } }`;
    if (await post(server, '/graphql', { query }, owner.token)) {
      counts.revoked += 1;
      state.revoked.push(made.token);
      state.lastRevocation = Date.now();
    } else {
      counts.unanswered += 1;
    }
  }
}

/** Checks that each server refuses the tokens. */
async function check(tokens) {
  for (const [number, token] of tokens.entries()) {
    const server = servers[number % servers.length];
    const answer = await until('a verification', 60_000, () => post(server, '/api/v1/verify', { token }));
    counts.checked += 1;
    if (answer.valid) counts.lost += 1;
  }
}

async function run() {
  await cluster.start();
  latchkey('migrate');
  latchkey('admin', 'create-tenant', '--name', 'Acme', '--slug', 'acme');
  const account = latchkey('admin', 'create-service-account', '--tenant', 'acme', '--name', 'load');
  const token = latchkey('admin', 'create-key', '--tenant', 'acme', '--service-account', account, '--name', 'load');
  for (const url of cluster.urls) servers.push(await serve(url));
  const state = { revoked: [], isOver: false };
  const owner = { account, token };
  const workers = Array.from({ length: WORKERS }, (_, number) => work(servers[number % servers.length], owner, state));
  for (let kill = 1; kill <= kills; kill += 1) {
    await pause(500 + Math.random() * 1_000);
    const node = await cluster.killLeader();
    const killed = Date.now();
    counts.kills += 1;
    await until('a revocation after the failover', 120_000, () => state.lastRevocation > killed + 100);
    recoveries.push((state.lastRevocation - killed) / 1000);
    const acknowledged = state.revoked.splice(0);
    await check(acknowledged);
    cluster.restart(node);
    await cluster.healthy();
    console.log(`kill ${kill}: ${acknowledged.length} revocations checked, ${counts.lost} lost so far, recovered after ${recoveries.at(-1).toFixed(1)} s`);
  }
  state.isOver = true;
  await Promise.all(workers);
  await check(state.revoked.splice(0));
  counts.restarts = servers.filter((server) => server.hasEnded).length;
  console.log(latchkey('audit', 'verify'));
}

let failure;
try {
  await run();
} catch (error) {
  failure = error;
} finally {
  for (const server of servers) server.child.kill('SIGKILL');
  cluster.stop();
  await pause(500);
  if (failure && process.env.KEEP) console.log(folder);
  else rmSync(folder, { recursive: true, force: true });
}
if (failure) throw failure;
recoveries.sort((one, other) => one - other);
const median = recoveries[Math.floor(recoveries.length / 2)];
console.log(
  `synchronous replication: ${isSynchronous ? 'on' : 'off'}\nleaders killed: ${counts.kills}\nkeys created: ${counts.created}\n` +
    `revocations acknowledged: ${counts.revoked}\nrevocations without an answer: ${counts.unanswered}\n` +
    `acknowledged revocations checked: ${counts.checked}\nlost: ${counts.lost}\nservers that ended: ${counts.restarts}\n` +
    `recovery: median ${median.toFixed(1)} s, longest ${recoveries.at(-1).toFixed(1)} s`,
);
process.exit(counts.restarts > 0 || (isSynchronous && counts.lost > 0) ? 1 : 0);
