// Applies the rules of deny.toml to the crates that `cargo metadata` lists, if cargo-deny isn't installed. Supports
// only the settings that deny.toml uses and refuses any other, so that no rule is skipped silently. Checks the licence
// that a crate declares, not the texts of its licence files, and ignores advisories.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import parseSpdx from 'spdx-expression-parse';
import { parse as parseToml } from 'smol-toml';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');

const KNOWN = {
  graph: ['all-features'],
  licenses: ['allow'],
  bans: ['wildcards', 'allow-wildcard-paths', 'multiple-versions', 'deny', 'skip'],
  sources: ['unknown-registry', 'unknown-git', 'allow-registry', 'allow-git'],
};

/** Parses the text of deny.toml. Throws if it has a setting that this check doesn't support. */
export function readRules(text) {
  const rules = parseToml(text);
  for (const [section, settings] of Object.entries(rules)) {
    for (const key of Object.keys(settings)) {
      if (!KNOWN[section]?.includes(key)) throw new Error(`deny.toml: this check doesn't know ${key} in [${section}]; install cargo-deny`);
    }
  }
  return rules;
}

/** Whether the allowed licences satisfy an SPDX expression, or one in crates.io's older form `A/B`. */
export function isAllowed(expression, allowed) {
  const meets = (node) => {
    if (node.conjunction === 'or') return meets(node.left) || meets(node.right);
    if (node.conjunction === 'and') return meets(node.left) && meets(node.right);
    return allowed.includes(node.license + (node.plus ? '+' : '') + (node.exception ? ` WITH ${node.exception}` : ''));
  };
  return meets(parseSpdx(expression.replaceAll('/', ' OR ')));
}

/** Whether an entry of deny.toml matches a crate: `name`, `name@1.2.3`, `name:^1` or `name:^0.2`. */
function isNamed(entry, { name, version }) {
  const spec = typeof entry === 'string' ? entry : entry.crate;
  const [, wanted, exact, prefix] = /^([\w-]+)(?:@([\w.+-]+)|:\^(\d+|0\.\d+))?$/.exec(spec ?? '') ?? [];
  const other = Object.keys(entry).filter((key) => typeof entry === 'object' && !['crate', 'reason'].includes(key));
  if (!wanted || other.length > 0) throw new Error(`deny.toml: this check can't read ${JSON.stringify(entry)}; install cargo-deny`);
  if (wanted !== name) return false;
  return exact ? version === exact : !prefix || version.startsWith(`${prefix}.`);
}

/** Checks the crates that `cargo metadata` lists. Only `errors` fail the check, `warnings` don't. */
export function check(rules, { packages }) {
  const { licenses, bans, sources } = rules;
  const errors = [];
  const warnings = [];
  const report = (level, message) => level !== 'allow' && (level === 'warn' ? warnings : errors).push(message);

  for (const crate of packages) {
    const title = `${crate.name} ${crate.version}`;
    try {
      if (!crate.license) errors.push(`${title} declares no licence`);
      else if (!isAllowed(crate.license, licenses.allow)) errors.push(`${title} has the licence ${crate.license}`);
    } catch {
      errors.push(`${title} has a licence that is no SPDX expression: ${crate.license}`);
    }

    const ban = bans.deny.find((entry) => isNamed(entry, crate));
    if (ban) errors.push(`${title} is banned${ban.reason ? `: ${ban.reason}` : ''}`);

    for (const dependency of crate.dependencies.filter(({ req }) => req === '*')) {
      const isOwnPath = dependency.path && crate.publish?.length === 0 && bans['allow-wildcard-paths'];
      if (!isOwnPath) report(bans.wildcards, `${title} depends on any version of ${dependency.name}`);
    }

    const [kind, url] = crate.source?.split(/\+(.*)/s) ?? [];
    if (kind === 'git') {
      if (!sources['allow-git'].includes(url.split(/[?#]/)[0])) report(sources['unknown-git'], `${title} comes from ${url}`);
    } else if (kind && !sources['allow-registry'].includes(url)) {
      report(sources['unknown-registry'], `${title} comes from ${url}`);
    }
  }

  const counted = packages.filter((crate) => !bans.skip.some((entry) => isNamed(entry, crate)));
  for (const name of new Set(counted.map((crate) => crate.name))) {
    const versions = counted.filter((crate) => crate.name === name).map((crate) => crate.version);
    if (versions.length > 1) report(bans['multiple-versions'], `${name} has ${versions.length} versions: ${versions.join(', ')}`);
  }
  for (const entry of bans.skip) {
    if (!packages.some((crate) => isNamed(entry, crate))) warnings.push(`no crate matches the skipped ${entry.crate}`);
  }
  return { errors, warnings };
}

/** Returns cargo's metadata for all platforms or, if crates can't be fetched, only for the host and the browser. */
function metadata(rules) {
  const cargo = (...more) => {
    const options = ['metadata', '--locked', '--format-version', '1', ...(rules.graph['all-features'] ? ['--all-features'] : []), ...more];
    return JSON.parse(execFileSync('cargo', options, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] }));
  };
  try {
    return cargo();
  } catch (error) {
    const host = /^host: (.+)$/m.exec(execFileSync('rustc', ['-vV'], { cwd: ROOT, encoding: 'utf8' }))[1];
    const found = cargo('--offline', '--filter-platform', host, '--filter-platform', 'wasm32-unknown-unknown');
    console.log(`licences: only the crates for ${host} and the browser were checked; the others can't be fetched:\n${error.stderr}`);
    return found;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rules = readRules(readFileSync(join(ROOT, 'deny.toml'), 'utf8'));
  const found = metadata(rules);
  const { errors, warnings } = check(rules, found);
  for (const warning of warnings) console.log(`licences: warning: ${warning}`);
  for (const error of errors) console.error(`licences: ${error}`);
  if (errors.length === 0) console.log(`licences: ${found.packages.length} crates, no rule of deny.toml is broken`);
  process.exitCode = errors.length === 0 ? 0 : 1;
}
