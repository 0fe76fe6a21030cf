// Measures sign-in and the two main lists as a phone sees them, with Lighthouse: slow 4G, processor four times slower.
// Prints the medians, and fails when one misses its target.
//
//     node support/lighthouse.mjs [RUNS]
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchOptions } from './browser.mjs';
import { latchkey, start } from './server.mjs';

const RUNS = Number(process.argv[2] ?? 5);
/** Not a dependency of this package: it would be larger than all others together. */
const LIGHTHOUSE = 'lighthouse@12.8.2';
const PASSWORD = 'seven lamps under the pier';
/** How often a run is tried that fails. */
const TRIES = 5;
/** The lowest score, the latest largest paint and the longest blocking, in milliseconds. */
const TARGET = { score: 95, paint: 1_200, blocking: 100 };

async function sessionCookie(url) {
  const body = new URLSearchParams({ email: 'ada@example.org', password: PASSWORD });
  const answer = await fetch(`${url}/sign-in`, { method: 'POST', body, redirect: 'manual', headers: { origin: url } });
  return answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ');
}

function audit(url, cookie, folder) {
  const [headers, report] = [join(folder, 'headers.json'), join(folder, 'report.json')];
  writeFileSync(headers, JSON.stringify(cookie ? { Cookie: cookie } : {}));
  const { executablePath, args } = launchOptions();
  const flags = ['--quiet', '--output=json', `--output-path=${report}`, `--extra-headers=${headers}`];
  const chrome = `--chrome-flags=--headless --no-sandbox ${args.join(' ')}`;
  const run = () => execFileSync('npx', ['--yes', LIGHTHOUSE, url, ...flags, chrome], {
    env: { ...process.env, CHROME_PATH: executablePath },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // Lighthouse sometimes misses the start of its own trace (NO_NAVSTART).
  for (let tries = 1; ; tries += 1) {
    try {
      run();
      break;
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
  const { categories, audits } = JSON.parse(readFileSync(report, 'utf8'));
  return {
    score: categories.performance.score * 100,
    accessibility: categories.accessibility.score * 100,
    paint: audits['largest-contentful-paint'].numericValue,
    blocking: audits['total-blocking-time'].numericValue,
    shift: audits['cumulative-layout-shift'].numericValue,
  };
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const folder = mkdtempSync(join(tmpdir(), 'latchkey-lighthouse.'));
const server = await start({ prepare: (database) => latchkey(database, ['fill-demo']), log: 'warn' });
try {
  const cookie = await sessionCookie(server.url);
  console.log('| page | performance | accessibility | largest paint | blocking | layout shift |\n|---|---:|---:|---:|---:|---:|');
  for (const [path, sent] of [['/sign-in', ''], ['/user/api-keys', cookie], ['/team/service-accounts', cookie]]) {
    const runs = Array.from({ length: RUNS }, () => audit(server.url + path, sent, folder));
    const of = (name) => median(runs.map((run) => run[name]));
    const [score, paint, blocking] = [of('score'), of('paint'), of('blocking')];
    console.log(`| ${path} | ${score.toFixed(0)} | ${of('accessibility').toFixed(0)} | ${paint.toFixed(0)} ms | ${blocking.toFixed(0)} ms | ${of('shift').toFixed(3)} |`);
    if (score < TARGET.score || paint > TARGET.paint || blocking > TARGET.blocking) process.exitCode = 1;
  }
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
