// Runs the built binary as a server with a separate database, and as a command line.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binary = process.env.LATCHKEY_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug/latchkey');
const STARTS_WITHIN_MS = 30_000;

/** Runs `latchkey ARGS…` on a database and returns what it prints, without the trailing newline. */
export function latchkey(databaseUrl, args, input = '') {
  const env = { ...process.env, LATCHKEY_DATABASE_URL: databaseUrl, LATCHKEY_LOG: 'warn' };
  return execFileSync(binary, args, { env, input, encoding: 'utf8', cwd: root }).trim();
}

/** Starts a server on a new SQLite file or on the given database, after calling `prepare(databaseUrl)`. */
export async function start({ databaseUrl, prepare = () => {}, log = 'debug', env = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-end2end.'));
  const database = databaseUrl ?? `sqlite:${join(folder, 'latchkey.db')}`;
  const logFile = join(folder, 'server.log');
  prepare(database);
  const sink = openSync(logFile, 'w');
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0', '--database-url', database], {
    cwd: root,
    env: { ...process.env, LATCHKEY_LOG: log, RUST_BACKTRACE: '1', ...env },
    stdio: ['ignore', 'pipe', sink],
  });
  closeSync(sink);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(late);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { url, said } = await address(child, ended);
    return { url, said, database, folder, logFile, stop };
  } catch (error) {
    const said = readFileSync(logFile, 'utf8');
    await stop();
    throw new Error(`${error.message}\n${said}`);
  }
}

function address(child, ended) {
  return new Promise((resolve, reject) => {
    let said = '';
    const late = setTimeout(() => reject(new Error('the server printed no address')), STARTS_WITHIN_MS);
    ended.then((code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
      const match = /listening on (http:\S+)/.exec(said);
      if (match) {
        clearTimeout(late);
        resolve({ url: match[1], said });
      }
    });
  });
}
