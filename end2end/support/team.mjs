// A tenant for a test, filled with the command line.
import { createHash, randomBytes } from 'node:crypto';
import { latchkey } from './server.mjs';

export const PASSWORD = 'seven lamps under the pier';
export const TOKEN = /^lk[us]_[0-9A-Za-z]{38}$/;

const cli = (args, input) => latchkey(process.env.LATCHKEY_DATABASE, args, input);

/** A tenant that only one test uses. */
export class Team {
  constructor() {
    this.slug = `t${randomBytes(6).toString('hex')}`;
    this.name = `Tenant ${this.slug}`;
    this.id = cli(['admin', 'create-tenant', '--name', this.name, '--slug', this.slug]);
  }

  person(role = 'TENANT_ADMIN', name = 'Ada Lovelace') {
    const email = `${randomBytes(6).toString('hex')}@example.org`;
    const words = ['--email', email, '--name', name, '--tenant', this.slug, '--role', role, '--password-stdin'];
    const id = cli(['admin', 'create-user', ...words], PASSWORD);
    return { id, email, name, role };
  }

  join(person, role = 'USER') {
    cli(['admin', 'create-user', '--email', person.email, '--tenant', this.slug, '--role', role]);
  }

  remove(person) {
    cli(['admin', 'remove-member', '--tenant', this.slug, '--email', person.email]);
  }

  account(name, role = 'TENANT_ADMIN') {
    return cli(['admin', 'create-service-account', '--tenant', this.slug, '--name', name, '--role', role]);
  }

  key(owner, name, expiresAt) {
    const whose = owner.email ? ['--user', owner.email] : ['--service-account', owner];
    const until = expiresAt ? ['--expires-at', expiresAt] : [];
    return cli(['admin', 'create-key', '--tenant', this.slug, ...whose, '--name', name, ...until]);
  }

  /** Imports a key with a token of another system, and returns the token. */
  import(owner, name) {
    const token = `sk_live_${randomBytes(12).toString('hex')}`;
    const sha256 = createHash('sha256').update(token).digest('base64url');
    const line = JSON.stringify({ owner: owner.email ?? owner, name, sha256, hint: token.slice(0, 10) });
    cli(['import', '-', '--tenant', this.slug], line);
    return token;
  }

  /** Sends a GraphQL query with a key and returns the data. */
  async ask(token, query, variables = {}) {
    const answer = await fetch(`${process.env.LATCHKEY_URL}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }
}
