// Browser tests against the built binary, with JavaScript and, for the main flows, without it.
import { defineConfig } from '@playwright/test';
import { launchOptions } from './support/browser.mjs';

export default defineConfig({
  testDir: 'tests',
  outputDir: 'results',
  globalSetup: './support/setup.mjs',
  fullyParallel: true,
  forbidOnly: true,
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 7_000 },
  reporter: [['list']],
  use: {
    launchOptions: launchOptions(),
    // Not UTC, and with summer time, so that mistakes with time zones show.
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    contextOptions: { reducedMotion: 'reduce' },
    viewport: { width: 1280, height: 800 },
    actionTimeout: 7_000,
    navigationTimeout: 15_000,
    screenshot: 'only-on-failure',
  },
  projects: [
    // @plain: only without JavaScript; @both: with and without.
    { name: 'javascript', grepInvert: /@plain/ },
    { name: 'no-javascript', grep: /@plain|@both/, use: { javaScriptEnabled: false } },
  ],
});
