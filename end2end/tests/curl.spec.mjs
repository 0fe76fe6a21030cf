// A script manages a tenant with only `curl` and a service account's key, without a browser.
import { execFileSync } from 'node:child_process';
import { TOKEN, expect, test } from '../support/test.mjs';

const url = process.env.LATCHKEY_URL;
const curl = (...args) => execFileSync('curl', ['--silent', '--show-error', ...args], { encoding: 'utf8' });

/** Returns a function that sends a GraphQL query with the key and returns the data, or the codes of the errors. */
function asker(key) {
  return (query, variables = {}) => {
    const body = JSON.stringify({ query, variables });
    const answer = curl(`${url}/graphql`, '-H', `Authorization: Bearer ${key}`, '-H', 'Content-Type: application/json', '-d', body);
    const { data, errors } = JSON.parse(answer);
    return errors ? errors.map(({ extensions }) => extensions.code) : data;
  };
}

const verify = (token) =>
  JSON.parse(curl(`${url}/api/v1/verify`, '-A', 'curl/of-the-test', '-H', 'Content-Type: application/json', '-d', JSON.stringify({ token })));

/** Creates a key and returns its id and token. */
function createKey(ask, owner, name, expiresAt = null) {
  const query = 'mutation($o: String!, $n: String!, $e: String) { create_api_key(input: { user_id: $o, name: $n, expires_at: $e }) { id token } }';
  const made = ask(query, { o: owner, n: name, e: expiresAt }).create_api_key;
  expect(made.token).toMatch(TOKEN);
  return made;
}

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();

test('a key is rolled, viewed, suspended, renamed, and revoked with the key that it created', ({ team }) => {
  const account = team.account('deployer');
  const ask = asker(team.key(account, 'root'));
  const old = createKey(ask, account, 'ci', inDays(5));
  expect(verify(old.token)).toMatchObject({ valid: true, expires_at: expect.any(String) });

  const roll = 'mutation($k: String!, $o: String!) { roll_api_key(input: { key_id: $k, overlap: $o }) { id token } }';
  const { roll_api_key: next } = ask(roll, { k: old.id, o: '24h' });
  expect([verify(old.token).valid, verify(next.token).valid]).toEqual([true, true]);
  const both = 'query($old: String!, $new: String!) { old: api_key(id: $old) { replaced_by overlap_until last_used { address } } new: api_key(id: $new) { replaces } }';
  const lineage = ask(both, { old: old.id, new: next.id });
  expect(lineage.old).toMatchObject({ replaced_by: next.id, overlap_until: expect.any(String) });
  expect(lineage.new).toEqual({ replaces: old.id });
  expect(ask('mutation($k: String!) { extend_roll(id: $k, overlap: "7d") { id } }', { k: old.id }).extend_roll.id).toBe(old.id);
  ask('mutation($k: String!) { finish_roll(id: $k) { id } }', { k: old.id });
  expect([verify(old.token).valid, verify(next.token).valid]).toEqual([false, true]);

  const { roll_api_key: third } = ask(roll, { k: next.id, o: '1h' });
  ask('mutation($k: String!) { cancel_roll(id: $k) { id } }', { k: next.id });
  expect([verify(next.token).valid, verify(third.token).valid]).toEqual([true, false]);

  const id = { k: next.id };
  expect(ask('mutation($k: String!) { suspend_api_key(id: $k) { state } }', id).suspend_api_key.state).toBe('suspended');
  expect(verify(next.token)).toEqual({ valid: false });
  expect(ask('mutation($k: String!) { resume_api_key(id: $k) { state } }', id).resume_api_key.state).toBe('active');
  expect(ask('mutation($k: String!) { rename_api_key(id: $k, name: "ci 2") { name } }', id).rename_api_key.name).toBe('ci 2');

  const made = createKey(asker(next.token), account, 'made by ci 2');
  expect(ask('query($k: String!) { created_api_keys(id: $k) { id created_by_key } }', id).created_api_keys).toEqual([
    { id: made.id, created_by_key: next.id },
  ]);
  expect(ask('mutation($k: String!) { delete_api_key(input: { key_id: $k, and_created: true }) { success } }', id).delete_api_key.success).toBe(true);
  expect([verify(next.token).valid, verify(made.token).valid]).toEqual([false, false]);
  expect(ask('mutation($k: String!) { delete_api_key(input: { key_id: $k }) { success error } }', id).delete_api_key).toEqual({
    success: false,
    error: expect.stringContaining('This key was revoked on'),
  });
});

test('usage shows the client and the address that use a key', async ({ team }) => {
  const account = team.account('deployer');
  const ask = asker(team.key(account, 'root'));
  const key = createKey(ask, account, 'ci');
  verify(key.token);
  verify(key.token);
  // A background task writes the usage within a second.
  const query = 'query($k: String!) { api_key_usage(id: $k) { clients { address user_agent use_count } hours { use_count } } }';
  await expect
    .poll(() => {
      const { clients, hours } = ask(query, { k: key.id }).api_key_usage;
      // The two uses may fall into different hours.
      return { clients, inHours: hours.reduce((sum, { use_count: count }) => sum + count, 0) };
    })
    .toEqual({ clients: [{ address: '127.0.0.1', user_agent: 'curl/of-the-test', use_count: 2 }], inHours: 2 });
});

test('a script manages accounts, members, policies and keys, and reads the audit log', ({ team }) => {
  const root = team.account('root');
  const ask = asker(team.key(root, 'root'));

  const { create_service_account: made } = ask('mutation { create_service_account(input: { name: "runner" }) { id role } }');
  expect(made.role).toBe('TENANT_ADMIN');
  const key = createKey(ask, made.id, 'runs');
  const on = { a: made.id };
  expect(ask('mutation($a: String!) { suspend_service_account(id: $a) { state } }', on).suspend_service_account.state).toBe('suspended');
  expect(verify(key.token).valid).toBe(false);
  ask('mutation($a: String!) { resume_service_account(id: $a) { state } }', on);
  expect(ask('mutation($a: String!) { change_service_account_role(id: $a, role: READ_ONLY_USER) { role } }', on).change_service_account_role.role).toBe('READ_ONLY_USER');
  expect(asker(key.token)('{ audit_log { items { id } } }')).toEqual(['FORBIDDEN']);
  expect(ask('mutation($a: String!) { rename_service_account(id: $a, name: "runner 2") { name } }', on).rename_service_account.name).toBe('runner 2');

  const ben = team.person('USER', 'Ben');
  const { invite_member: invited } = ask('mutation { invite_member(email: "eve@example.org", role: USER) { id link mailed } }');
  expect(invited).toMatchObject({ link: expect.stringContaining('/invitations/'), mailed: false });
  expect(ask('{ invitations { id email } }').invitations).toEqual([{ id: invited.id, email: 'eve@example.org' }]);
  ask('mutation($i: String!) { cancel_invitation(id: $i) { success } }', { i: invited.id });
  const of = { u: ben.id };
  expect(ask('mutation($u: String!) { change_member_role(user_id: $u, role: TENANT_ADMIN) { role } }', of).change_member_role.role).toBe('TENANT_ADMIN');
  expect(ask('mutation($u: String!) { change_member_role(user_id: $u, role: USER) { role } }', of)).toEqual(['CONFLICT']);
  expect(ask('{ members { items { name role } } }').members.items).toEqual([{ name: 'Ben', role: 'TENANT_ADMIN' }]);

  const policy = { p: { policy: 'max_lifetime', days: 90 } };
  const preview = ask('query($p: tenant_policy_input!) { policy_preview(input: $p) { count keys { name } } }', policy).policy_preview;
  expect(preview).toEqual({ count: 2, keys: expect.arrayContaining([{ name: 'root' }, { name: 'runs' }]) });
  ask('mutation($p: tenant_policy_input!) { set_tenant_policy(input: $p) { effective_from } }', policy);
  const forever = 'mutation($o: String!) { create_api_key(input: { user_id: $o, name: "forever" }) { id } }';
  expect(ask(forever, { o: made.id })).toEqual(['BAD_USER_INPUT']);
  createKey(ask, made.id, 'for a month', inDays(30));
  const against = '{ tenant_api_keys(show: "against_policy", sort: "name", direction: "asc") { items { name owner_name } } }';
  expect(ask(against).tenant_api_keys.items).toEqual([
    { name: 'root', owner_name: 'root' },
    { name: 'runs', owner_name: 'runner 2' },
  ]);
  expect(ask('mutation($k: [String!]!) { suspend_api_keys(key_ids: $k) { count } }', { k: [key.id] }).suspend_api_keys.count).toBe(1);
  expect(ask('mutation($k: [String!]!) { revoke_api_keys(key_ids: $k) { count } }', { k: [key.id] }).revoke_api_keys.count).toBe(1);
  ask('mutation { clear_tenant_policy(policy: "max_lifetime") { success } }');
  ask('mutation($a: String!) { delete_service_account(id: $a) { id } }', on);
  ask('mutation { rename_tenant(name: "Kept by a script") { id } }');

  const lines = ask('{ audit_log(limit: 3) { items { operation actor_name channel result } } }').audit_log.items;
  expect(lines).toEqual([
    { operation: 'rename_tenant', actor_name: 'root', channel: 'graphql', result: 'done' },
    { operation: 'delete_service_account', actor_name: 'root', channel: 'graphql', result: 'done' },
    { operation: 'clear_tenant_policy', actor_name: 'root', channel: 'graphql', result: 'done' },
  ]);
});

test('a user manages their own profile and tenants with a key, and joins another tenant', async ({ team, newTeam }) => {
  const ada = team.person('TENANT_ADMIN');
  const ask = asker(team.key(ada, 'mine'));
  expect(ask('mutation { update_profile(name: "Ada by curl") { name } }').update_profile.name).toBe('Ada by curl');
  expect(ask('{ sessions { id } }').sessions).toEqual([]);

  createKey(ask, ada.id, 'ends', inDays(20));
  const { link } = ask('mutation { create_calendar_feed { link } }').create_calendar_feed;
  expect(curl(link)).toContain('SUMMARY:API key ends expires');
  expect(ask('{ viewer { calendar_feeds { created_at key_id } second_factor { enabled_at } } }').viewer).toEqual({
    calendar_feeds: [{ created_at: expect.any(String), key_id: expect.any(String) }],
    second_factor: null,
  });
  ask('mutation { revoke_calendar_feed { success } }');
  expect(JSON.parse(curl(link)).status).toBe(404);

  const slug = `made-${team.slug}`;
  expect(ask('mutation($s: String!) { create_tenant(name: "Made by curl", slug: $s) { slug role } }', { s: slug }).create_tenant).toEqual({
    slug,
    role: 'TENANT_ADMIN',
  });
  const other = newTeam();
  const theirs = asker(other.key(other.account('root'), 'root'));
  const { invite_member: invited } = theirs('mutation($e: String!) { invite_member(email: $e, role: USER) { link } }', { e: ada.email });
  expect(ask('mutation($s: String!) { accept_invitation(secret: $s) { success } }', { s: invited.link.split('/').pop() }).accept_invitation.success).toBe(true);
  expect(theirs('{ members(search: "by c") { items { name } } }').members.items).toEqual([{ name: 'Ada by curl' }]);
  expect(ask('{ viewer { tenants { slug } } }').viewer.tenants).toEqual([{ slug: team.slug }]);
  expect(ask('mutation { end_other_sessions { success } }')).toEqual(['FORBIDDEN']);
});
