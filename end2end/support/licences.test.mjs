// Tests of licences.mjs: `node --test end2end/support/licences.test.mjs`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { check, isAllowed, readRules } from './licences.mjs';

const CRATES_IO = 'registry+https://github.com/rust-lang/crates.io-index';
const RULES = readRules(readFileSync(new URL('../../deny.toml', import.meta.url), 'utf8'));

/** Returns the errors for one crate; `facts` override those of a crate that breaks no rule. */
function errors(facts, deny = RULES.bans.deny) {
  const crate = { name: 'made-up', version: '1.0.0', license: 'MIT', source: CRATES_IO, dependencies: [], publish: null, ...facts };
  return check({ ...RULES, bans: { ...RULES.bans, deny, skip: [] } }, { packages: [crate] }).errors;
}

test('an expression is allowed when one of its choices is', () => {
  for (const [expression, expected] of [
    ['MIT', true],
    ['MIT/Apache-2.0', true],
    ['MIT OR GPL-3.0-only', true],
    ['MIT AND GPL-3.0-only', false],
    ['GPL-3.0-only OR MIT AND ISC', true],
    ['(GPL-3.0-only OR MIT) AND AGPL-3.0-only', false],
    ['Apache-2.0 WITH LLVM-exception', true],
    ['GPL-2.0-only WITH Classpath-exception-2.0', false],
    ['MIT+', false],
  ]) {
    assert.equal(isAllowed(expression, RULES.licenses.allow), expected, expression);
  }
});

test('a crate that breaks no rule passes', () => assert.deepEqual(errors({}), []));

test('forbidden, unknown and missing licences fail', () => {
  assert.match(errors({ license: 'AGPL-3.0-only' })[0], /has the licence AGPL/);
  assert.match(errors({ license: 'Made-Up-1.0' })[0], /no SPDX expression: Made-Up/);
  assert.match(errors({ license: null })[0], /declares no licence/);
});

test('a banned crate fails', () => assert.match(errors({ name: 'openssl-sys' })[0], /is banned: TLS is rustls/));

test('a wildcard fails, except for the path of a crate that is never published', () => {
  assert.match(errors({ dependencies: [{ name: 'serde', req: '*' }] })[0], /any version of serde/);
  assert.deepEqual(errors({ publish: [], dependencies: [{ name: 'domain', req: '*', path: '/domain' }] }), []);
});

test('other registries and git sources fail', () => {
  assert.match(errors({ source: 'registry+https://crates.example.org/index' })[0], /comes from https:\/\/crates\.example\.org/);
  assert.match(errors({ source: 'git+https://example.org/made-up?branch=main#abc' })[0], /comes from https:\/\/example\.org/);
});

test('a second version is reported unless it is skipped, and a skip without a crate is reported too', () => {
  const packages = ['1.4.0', '2.0.0'].map((version) => ({ name: 'twice', version, license: 'MIT', source: CRATES_IO, dependencies: [] }));
  const warnings = (...skip) => check({ ...RULES, bans: { ...RULES.bans, skip } }, { packages }).warnings;
  assert.deepEqual(warnings(), ['twice has 2 versions: 1.4.0, 2.0.0']);
  assert.deepEqual(warnings({ crate: 'twice:^1', reason: 'a test' }), []);
  assert.deepEqual(warnings({ crate: 'twice@2.0.0' }, { crate: 'gone:^0.3' }), ['no crate matches the skipped gone:^0.3']);
});

test('an unsupported setting is refused', () => {
  assert.throws(() => readRules('[licenses]\nexceptions = []'), /doesn't know exceptions/);
  assert.throws(() => errors({}, [{ crate: 'made-up', wrappers: ['other'] }]), /can't read/);
});
