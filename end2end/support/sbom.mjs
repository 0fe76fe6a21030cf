// Prints the list of the components of the release binary, in CycloneDX's format 1.5: the crates of the server for this
// machine, and those of the browser's code. Crates that only tests or builds of other platforms use aren't in it.
//
//     node end2end/support/sbom.mjs SECONDS     the time of the list, since the Unix epoch
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseToml } from 'smol-toml';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const run = (...command) => execFileSync(command[0], command.slice(1), { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });

/** The crates that one package is built from, on one platform, as cargo's metadata describes them. */
function cratesOf(name, target) {
  const found = JSON.parse(run('cargo', 'metadata', '--locked', '--format-version', '1', '--filter-platform', target));
  const nodes = new Map(found.resolve.nodes.map((node) => [node.id, node]));
  const packages = new Map(found.packages.map((crate) => [crate.id, crate]));
  const wanted = new Set();
  const visit = (id) => {
    if (wanted.has(id)) return;
    wanted.add(id);
    for (const { pkg, dep_kinds } of nodes.get(id).deps) {
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg);
    }
  };
  visit(found.packages.find((crate) => crate.name === name && !crate.source).id);
  return [...wanted].map((id) => packages.get(id));
}

/** The checksums of Cargo.lock, by `name@version`. */
function checksums() {
  const { package: locked } = parseToml(readFileSync(join(ROOT, 'Cargo.lock'), 'utf8'));
  return new Map(locked.map(({ name, version, checksum }) => [`${name}@${version}`, checksum]));
}

function component(crate, checksum) {
  return {
    type: 'library',
    'bom-ref': `pkg:cargo/${crate.name}@${crate.version}`,
    name: crate.name,
    version: crate.version,
    ...(crate.license && { licenses: [{ expression: crate.license.replaceAll('/', ' OR ') }] }),
    ...(checksum && { hashes: [{ alg: 'SHA-256', content: checksum }] }),
    purl: `pkg:cargo/${crate.name}@${crate.version}`,
  };
}

/** Returns the list. It depends on nothing but the lock file, the platform and the time. */
export function sbom(seconds) {
  const host = /^host: (.+)$/m.exec(run('rustc', '-vV'))[1];
  const crates = [...cratesOf('server', host), ...cratesOf('frontend', 'wasm32-unknown-unknown')];
  const server = crates[0];
  const known = checksums();
  const others = new Map(crates.filter((crate) => crate.source).map((crate) => [`${crate.name}@${crate.version}`, crate]));
  const components = [...others].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, crate]) => component(crate, known.get(key)));
  const digest = createHash('sha256').update(JSON.stringify(components)).digest('hex');
  const serial = [digest.slice(0, 8), digest.slice(8, 12), `5${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`, digest.slice(20, 32)];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${serial.join('-')}`,
    version: 1,
    metadata: {
      timestamp: new Date(seconds * 1_000).toISOString().replace('.000', ''),
      component: { type: 'application', 'bom-ref': 'latchkey', name: 'latchkey', version: server.version, licenses: [{ expression: server.license }] },
    },
    components,
    dependencies: [{ ref: 'latchkey', dependsOn: components.map((each) => each['bom-ref']) }],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(sbom(Number(process.argv[2] ?? 0)), null, 2));
}
