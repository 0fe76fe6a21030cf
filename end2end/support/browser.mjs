// The browser of the tests and its launch options.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const finder = fileURLToPath(new URL('../bin/browser', import.meta.url));

/** Returns Playwright's launch options for the installed browser. */
export function launchOptions() {
  return {
    executablePath: execFileSync(finder, { encoding: 'utf8' }).trim(),
    args: [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--disable-quic',
    ],
  };
}
