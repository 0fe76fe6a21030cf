// A strict client in another language: each operation is validated against the committed schema before it is sent, and
// each response is read through the schema, so that a null or a type that the schema forbids fails.
import { expect, test as base } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { buildSchema, execute, parse, validate, validateSchema } from 'graphql';
import { GraphQLClient } from 'graphql-request';
import { TOKEN, Team } from '../support/team.mjs';

const schema = buildSchema(readFileSync(new URL('../../server/schema.graphql', import.meta.url), 'utf8'));

/** Resolves a field by its response key, so that aliases and arguments don't matter. */
const answerOf = (source, _, __, info) => source[info.path.key];

class Strict {
  constructor(token) {
    this.client = new GraphQLClient(`${process.env.LATCHKEY_URL}/graphql`, { headers: { authorization: `Bearer ${token}` } });
  }

  async ask(text, variables) {
    const document = parse(text);
    expect(validate(schema, document), text).toEqual([]);
    const data = await this.client.request(document, variables);
    const read = await execute({ schema, document, rootValue: data, variableValues: variables, fieldResolver: answerOf });
    expect(read.errors, text).toBeUndefined();
    return data;
  }

  /** Returns the `extensions` of a refusal, which contain its code. */
  async refusal(text, variables) {
    const error = await this.ask(text, variables).then(
      () => null,
      (error) => error,
    );
    return error.response.errors[0].extensions;
  }
}

const test = base.extend({
  team: async ({}, use) => use(new Team()),
  admin: async ({ team }, use) => use(new Strict(team.key(team.person(), 'admin'))),
});

const CREATE = 'mutation Create($input: create_api_key_input!) { create_api_key(input: $input) { id token key } }';
const DELETE = 'mutation Delete($input: delete_api_key_input!) { delete_api_key(input: $input) { success } }';
const KEY = 'id name expires_at user_id owner_kind owner_name tenant_id hint state created created_by revoked_at revoked_by last_used { at address user_agent }';

test('the committed schema is valid', () => {
  expect(validateSchema(schema)).toEqual([]);
});

test('a user creates, views, uses and revokes a key', async ({ admin }) => {
  const { auth_info: me } = await admin.ask('{ auth_info { tenant_id user_id api_token_scope } }');
  const input = { user_id: me.user_id, name: 'laptop', expires_at: '2031-01-31T00:00:00Z' };
  const { create_api_key: made } = await admin.ask(CREATE, { input });
  expect(made.token).toMatch(TOKEN);
  expect(made.key).toBe(made.token);

  const holder = new Strict(made.token);
  expect((await holder.ask('{ auth_info { user_id } }')).auth_info.user_id).toBe(me.user_id);
  const { api_key: seen } = await admin.ask(`query One($id: ID!) { api_key(id: $id) { ${KEY} } }`, { id: made.id });
  expect(seen).toMatchObject({ name: 'laptop', state: 'active', expires_at: '2031-01-31T00:00:00Z', user_id: me.user_id });
  expect(seen.last_used).not.toBeNull();
  const { auth_api_key: visible } = await admin.ask(`{ auth_api_key { ${KEY} } }`);
  expect(visible.map((key) => key.name).sort()).toEqual(['admin', 'laptop']);

  expect((await admin.ask(DELETE, { input: { key_id: made.id } })).delete_api_key.success).toBe(true);
  expect(await holder.refusal('{ hello }')).toEqual({ code: 'UNAUTHENTICATED' });
  expect((await admin.ask(DELETE, { input: { key_id: made.id } })).delete_api_key.success).toBe(false);
});

test('an administrator creates a service account, pages through its keys, sees its agent, and deletes all of it', async ({ admin }) => {
  const { create_service_account: account } = await admin.ask(
    'mutation Add($input: create_service_account_input!) { create_service_account(input: $input) { id name role state active_keys all_keys created created_by } }',
    { input: { name: 'deployer', role: 'USER' } },
  );
  expect(account).toMatchObject({ name: 'deployer', role: 'USER', state: 'active' });
  const tokens = [];
  for (const name of ['a', 'b', 'c']) tokens.push((await admin.ask(CREATE, { input: { user_id: account.id, name } })).create_api_key.token);

  const PAGE = `query Page($owner: ID, $after: String) { api_keys(owner_id: $owner, sort: name, direction: asc, limit: 2, after: $after) { items { ${KEY} } next previous } }`;
  const { api_keys: first } = await admin.ask(PAGE, { owner: account.id });
  const { api_keys: second } = await admin.ask(PAGE, { owner: account.id, after: first.next });
  expect([...first.items, ...second.items].map((key) => key.name)).toEqual(['a', 'b', 'c']);
  expect(second.next).toBeNull();

  const bot = new Strict(tokens[0]);
  const { register_agent: agent } = await bot.ask('mutation Start($input: register_agent_input!) { register_agent(input: $input) { id } }', {
    input: { type: 'LocalAgent', name: 'night', labels: ['x'] },
  });
  const { agents } = await admin.ask('query Agents($owner: ID) { agents(owner_id: $owner) { id name type labels version address api_key_id api_key_name user_id state since first_seen last_queried } }', { owner: account.id });
  expect(agents).toMatchObject([{ id: agent.id, name: 'night', labels: ['x'], state: 'polling', api_key_name: 'a' }]);
  expect((await bot.ask('mutation Poll($input: get_runs_in_queue_input!) { get_runs_in_queue(input: $input) { flow_run_ids } }', { input: {} })).get_runs_in_queue.flow_run_ids).toEqual([]);
  expect((await bot.refusal('mutation { create_service_account(input: { name: "more" }) { id } }')).code).toBe('FORBIDDEN');

  const { delete_service_account: gone } = await admin.ask(`mutation { delete_service_account(id: "${account.id}") { state active_keys all_keys } }`);
  expect(gone).toEqual({ state: 'deleted', active_keys: 0, all_keys: 3 });
  for (const token of tokens) expect((await new Strict(token).refusal('{ hello }')).code).toBe('UNAUTHENTICATED');
  const { service_accounts: left } = await admin.ask('{ service_accounts(state: all) { items { id name state } next previous } }');
  expect(left.items).toMatchObject([{ name: 'deployer', state: 'deleted' }]);
});

test('an invalid value is reported with its field', async ({ admin }) => {
  const input = { user_id: (await admin.ask('{ auth_info { user_id } }')).auth_info.user_id, name: ' ', expires_at: '2020-01-01T00:00:00Z' };
  const refusal = await admin.refusal(CREATE, { input });
  expect(refusal.code).toBe('BAD_USER_INPUT');
  expect(refusal.fields.map((field) => field.field)).toEqual(['name', 'expires_at']);
});
