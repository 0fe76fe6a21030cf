// GraphQL over HTTP as the specification's own audits check it, with a service account's key.
import { serverAudits } from 'graphql-http';
import { expect, test } from '../support/test.mjs';

const url = `${process.env.LATCHKEY_URL}/graphql`;

test('the endpoint passes the audits of GraphQL over HTTP', async ({ team }) => {
  const key = team.key(team.account('auditor'), 'root');
  const fetchFn = (address, options = {}) => fetch(address, { ...options, headers: { ...options.headers, authorization: `Bearer ${key}` } });
  const results = await Promise.all(serverAudits({ url, fetchFn }).map((audit) => audit.fn()));
  // `notice` is about what a server may do, such as answering GET, which this one doesn't.
  const failed = results.filter(({ status }) => status === 'error' || status === 'warn');
  expect(failed.map(({ id, name, reason }) => `${id} ${name}: ${reason}`)).toEqual([]);
  expect(results.filter(({ status }) => status === 'ok').length).toBeGreaterThan(40);
});
