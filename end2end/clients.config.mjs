// The real clients against the built binary; no browser. `make test-clients` starts it.
// Without LATCHKEY_CLIENTS (see bin/clients) only the client that npm has.
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'clients',
  testIgnore: process.env.LATCHKEY_CLIENTS ? [] : /v\d/,
  outputDir: 'results/clients',
  globalSetup: './support/setup.mjs',
  fullyParallel: true,
  forbidOnly: true,
  workers: 2,
  timeout: 180_000,
  // A client that starts loads half of Python.
  expect: { timeout: 60_000 },
  reporter: [['list']],
});
