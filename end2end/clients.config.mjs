// Tests of the real clients against the built binary, without a browser. `make test-clients` runs them.
// Without LATCHKEY_CLIENTS (see bin/clients), only the client from npm is tested.
import { defineConfig } from '@playwright/test';

// The server also runs flows.
process.env.LATCHKEY_FLOW_RUNS = 'true';

export default defineConfig({
  testDir: 'clients',
  testIgnore: process.env.LATCHKEY_CLIENTS ? [] : /v\d/,
  outputDir: 'results/clients',
  globalSetup: './support/setup.mjs',
  fullyParallel: true,
  forbidOnly: true,
  workers: 2,
  timeout: 180_000,
  // The Python clients take long to start.
  expect: { timeout: 60_000 },
  reporter: [['list']],
});
