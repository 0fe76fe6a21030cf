// A PostgreSQL cluster on loopback: three servers that Patroni manages, with etcd and HAProxy.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const NODES = ['a', 'b', 'c'];
const isRoot = process.getuid() === 0;

/** Waits until `holds` returns something. Fails after `limit` milliseconds. */
export async function until(what, limit, holds) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${limit / 1000} s`);
    await pause(50);
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** PostgreSQL refuses to run as root. */
function asOwner(command) {
  return isRoot ? ['runuser', '-u', 'postgres', '--', ...command] : command;
}

export class Cluster {
  processes = new Map();

  /** `isSynchronous`: whether a commit waits for a standby. */
  constructor(folder, isSynchronous) {
    Object.assign(this, { folder, isSynchronous });
  }

  async start() {
    chmodSync(this.folder, 0o755);
    this.ports = { etcd: await freePort(), peer: await freePort(), proxy: await freePort() };
    this.nodes = [];
    for (const name of NODES) this.nodes.push({ name, sql: await freePort(), rest: await freePort() });
    this.#spawn('etcd', this.#etcd());
    for (const node of this.nodes) this.#configure(node);
    this.#configureProxy();
    for (const node of this.nodes) this.#spawn(node.name, this.#patroni(node));
    this.#spawn('haproxy', ['haproxy', '-q', '-f', join(this.folder, 'haproxy.cfg')]);
    await this.healthy();
    this.admin(`CREATE ROLE latchkey LOGIN; CREATE DATABASE latchkey OWNER latchkey`.split('; '));
  }

  /** Through HAProxy, and with the addresses of all servers. */
  get urls() {
    const hosts = this.nodes.map((node) => `127.0.0.1:${node.sql}`).join(',');
    const url = (hosts) => `postgres://latchkey@${hosts}/latchkey?sslmode=disable`;
    return [url(`127.0.0.1:${this.ports.proxy}`), url(hosts)];
  }

  /** Runs statements as the superuser on the leader. */
  admin(statements) {
    const commands = statements.flatMap((sql) => ['-c', sql]);
    const url = `postgres://postgres@127.0.0.1:${this.ports.proxy}/postgres`;
    execFileSync(join(process.env.LATCHKEY_POSTGRES_BIN, 'psql'), ['-q', url, ...commands]);
  }

  /** Returns the members as Patroni sees them. */
  async members() {
    for (const node of this.nodes) {
      try {
        const answer = await fetch(`http://127.0.0.1:${node.rest}/cluster`, { signal: AbortSignal.timeout(2_000) });
        return (await answer.json()).members ?? [];
      } catch {
        // Another one may answer.
      }
    }
    return [];
  }

  /** Waits until there is a leader, and the others follow it. */
  async healthy() {
    return until('a healthy cluster', 180_000, async () => {
      const members = await this.members();
      const standbys = members.filter((member) => !['leader', 'master'].includes(member.role));
      const isReady = standbys.length === NODES.length - 1 && standbys.every((standby) => /running|streaming/.test(standby.state));
      const isSynchronous = !this.isSynchronous || standbys.some((standby) => standby.role === 'sync_standby');
      return isReady && isSynchronous && members.find((member) => ['leader', 'master'].includes(member.role));
    });
  }

  /** Kills the leader's Patroni and all of its PostgreSQL processes, as if its machine had lost its power. */
  async killLeader() {
    const leader = await this.healthy();
    const node = this.nodes.find((node) => node.name === leader.name);
    const pid = Number(readFileSync(join(this.folder, node.name, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
    const backends = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)]).toString().split('\n').map(Number);
    process.kill(-this.processes.get(node.name).pid, 'SIGKILL');
    for (const each of [pid, ...backends.filter(Boolean)]) {
      try {
        process.kill(each, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    return node;
  }

  /** Starts a killed server again. */
  restart(node) {
    this.#spawn(node.name, this.#patroni(node));
  }

  /** Ends every process, by its id. */
  stop() {
    for (const node of this.nodes ?? []) {
      try {
        const pid = Number(readFileSync(join(this.folder, node.name, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
        process.kill(pid, 'SIGQUIT');
      } catch {
        // It isn't running.
      }
    }
    for (const child of this.processes.values()) {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
  }

  #spawn(name, command) {
    const child = spawn(command[0], command.slice(1), { detached: true, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    const log = createWriteStream(join(this.folder, `${name}.log`), { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    this.processes.set(name, child);
  }

  #etcd() {
    const [client, peer] = [`http://127.0.0.1:${this.ports.etcd}`, `http://127.0.0.1:${this.ports.peer}`];
    return [
      'etcd', '--name', 'one', '--data-dir', join(this.folder, 'etcd'), '--listen-client-urls', client,
      '--advertise-client-urls', client, '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer,
      '--initial-cluster', `one=${peer}`, '--log-level', 'error',
    ];
  }

  #patroni(node) {
    return asOwner(['patroni', join(this.folder, `${node.name}.yml`)]);
  }

  #configure(node) {
    const own = join(this.folder, node.name);
    mkdirSync(own, { mode: 0o700 });
    if (isRoot) {
      const number = (flag) => Number(execFileSync('id', [flag, 'postgres']).toString());
      chownSync(own, number('-u'), number('-g'));
    }
    const settings = {
      scope: 'latchkey',
      name: node.name,
      restapi: { listen: `127.0.0.1:${node.rest}`, connect_address: `127.0.0.1:${node.rest}` },
      etcd3: { host: `127.0.0.1:${this.ports.etcd}` },
      bootstrap: {
        dcs: {
          ttl: 20,
          loop_wait: 2,
          retry_timeout: 5,
          maximum_lag_on_failover: 1_048_576,
          synchronous_mode: this.isSynchronous,
          postgresql: {
            use_pg_rewind: true,
            parameters: { wal_log_hints: 'on', max_connections: 100, wal_keep_size: '512MB', shared_buffers: '32MB' },
          },
        },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, { auth: 'trust' }],
      },
      postgresql: {
        listen: `127.0.0.1:${node.sql}`,
        connect_address: `127.0.0.1:${node.sql}`,
        data_dir: join(own, 'data'),
        bin_dir: process.env.LATCHKEY_POSTGRES_BIN,
        pgpass: join(own, 'pgpass'),
        pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
        authentication: { superuser: { username: 'postgres' }, replication: { username: 'replicator' }, rewind: { username: 'postgres' } },
        parameters: { unix_socket_directories: '' },
        remove_data_directory_on_rewind_failure: true,
        remove_data_directory_on_diverged_timelines: true,
      },
    };
    // JSON is YAML, too.
    writeFileSync(join(this.folder, `${node.name}.yml`), JSON.stringify(settings));
  }

  #configureProxy() {
    const servers = this.nodes.map((node) => `  server ${node.name} 127.0.0.1:${node.sql} check port ${node.rest}`);
    writeFileSync(
      join(this.folder, 'haproxy.cfg'),
      `defaults
  mode tcp
  timeout connect 1s
  timeout client 30m
  timeout server 30m
  timeout check 1s
listen primary
  bind 127.0.0.1:${this.ports.proxy}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
${servers.join('\n')}
`,
    );
  }
}
