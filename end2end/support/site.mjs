// A tenant in which every page shows something, and the pages and dialogs that links lead to.

/** The kind of page that a path leads to: without ids, numbers and query. */
export const kind = (path) => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|\b\d+\b/g, '*').replace(/[?#].*/, '');

/** Fills a team so that each page shows something. Returns the paths. */
export async function furnish(team) {
  const ada = team.person();
  team.person('USER', 'Alan Turing');
  team.key(ada, 'laptop', '2090-01-01T00:00:00Z');
  team.key(ada, 'a name that is as long as names of keys are wont to be in practice, or somewhat longer');
  const account = team.account('deployer');
  const token = team.key(account, 'agent');
  await team.ask(token, 'mutation { register_agent(input: { type: "LocalAgent", name: "night", labels: ["a", "b"] }) { id } }');
  const { auth_api_key: keys } = await team.ask(token, '{ auth_api_key { id name } }');
  const key = keys.find(({ name }) => name === 'agent').id;
  team.account('reports', 'READ_ONLY_USER');
  const paths = [
    '/user/api-keys',
    '/user/api-keys?state=revoked',
    '/user/api-keys?q=nothing-has-this-name',
    '/user/api-keys/new',
    '/user/api-keys/test',
    '/team/service-accounts',
    '/team/service-accounts/new',
    `/team/service-accounts/${account}`,
    `/team/service-accounts/${account}/keys/new`,
    `/team/service-accounts/${account}/delete`,
    `/team/service-accounts/${account}/keys/${key}`,
    '/team/overview',
    '/team/members',
    '/team/keys',
    '/team/keys?state=all&show=never_expires&kind=user',
    '/team/audit-log',
    '/team/audit-log?actor=nobody-of-this-name',
    '/team/settings',
    '/team/settings/rename',
    '/team/settings/policies/max_lifetime',
    '/team/members/invite',
    '/tenants/new',
    '/user/sessions',
    '/user/calendar/create',
    '/user/second-factor/begin',
    `/team/service-accounts/${account}/keys/${key}/roll`,
    '/user/profile',
    '/user/profile/name',
    '/user/profile/password',
    `/team/members/${ada.id}/role`,
    `/team/members/${ada.id}/remove`,
    '/search?q=a',
    '/shortcuts',
    '/docs',
    '/docs/gateway',
    '/graphiql',
    '/no-such-page',
  ];
  return { ada, account, paths };
}
