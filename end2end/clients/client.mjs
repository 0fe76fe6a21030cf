// One of the real clients, with its own home directory.
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = process.env.LATCHKEY_CLIENTS;

export class Client {
  constructor(version, url) {
    this.bin = join(folder, `prefect-${version}`, 'bin');
    this.home = mkdtempSync(join(tmpdir(), 'latchkey-client.'));
    this.env = {
      HOME: this.home,
      PATH: `${this.bin}:/usr/bin:/bin`,
      LANG: 'C.UTF-8',
      LC_ALL: 'C.UTF-8',
      NO_COLOR: '1',
      PYTHONWARNINGS: 'ignore',
      PREFECT__CLOUD__API: url,
      // A proxy must not handle requests on loopback.
      NO_PROXY: '*',
    };
    this.children = [];
  }

  /** Writes `~/.prefect/config.toml`. */
  configure(text) {
    mkdirSync(join(this.home, '.prefect'), { recursive: true });
    writeFileSync(join(this.home, '.prefect', 'config.toml'), text);
  }

  /** Runs `prefect ARGS…` until it exits. Returns its exit code, its stdout, and all its output. */
  run(args, env = {}) {
    return this.#finish(join(this.bin, 'prefect'), args, env);
  }

  /** Runs Python code with the client's library. */
  python(code, env = {}) {
    return this.#finish(join(this.bin, 'python'), ['-c', code], env);
  }

  #finish(program, args, env) {
    const options = { env: { ...this.env, ...env }, cwd: this.home, timeout: 100_000 };
    return new Promise((resolve) => {
      execFile(program, args, options, (error, stdout, stderr) => {
        resolve({ code: error ? (error.code ?? -1) : 0, out: stdout.trim(), all: `${stdout}${stderr}` });
      });
    });
  }

  /** Writes a file in the home directory, and returns its path. */
  write(name, text) {
    const path = join(this.home, name);
    writeFileSync(path, text);
    return path;
  }

  /** The text of a file in the home directory; empty if there is none. */
  read(name) {
    const path = join(this.home, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /**
   * Starts `prefect ARGS…` in the background. `said()` returns its output, `ended` resolves to its exit code. The processes
   * that it starts are in its group, so that they end with the test: a flow whose key is revoked never ends by itself.
   */
  start(args, env = {}) {
    const child = spawn(join(this.bin, 'prefect'), args, { env: { ...this.env, ...env }, cwd: this.home, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (text += more));
    const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
    this.children.push({ child, ended });
    return { said: () => text, ended, isRunning: () => child.exitCode === null && child.signalCode === null };
  }

  /** Kills the processes that were started and removes the home directory. */
  async close() {
    for (const { child, ended } of this.children) {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The whole group has ended.
      }
      await ended;
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}
