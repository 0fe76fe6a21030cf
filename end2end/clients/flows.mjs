// A real flow on the built-in backend, from registration to its end, and what happens when the key is revoked meanwhile.
import { agentsOf, expect, revoke, test } from './test.mjs';

/** The flow writes the key that it holds, maps a task, tries one again, waits for a file, and writes another. */
const flow = (home) => `
import os, time
import prefect
from datetime import timedelta
from prefect import Flow, task

HOME = "${home}"

def write(name, text):
    with open(os.path.join(HOME, name), "w") as file:
        file.write(text)

@task
def hold():
    names = ("PREFECT__CLOUD__API_KEY", "PREFECT__CLOUD__AUTH_TOKEN")
    write("held", next((os.environ[name] for name in names if os.environ.get(name)), ""))
    prefect.context.get("logger").info("hello from the flow")
    return [1, 2, 3]

@task
def double(number):
    return number * 2

@task(max_retries=1, retry_delay=timedelta(seconds=1))
def stumble(numbers):
    if prefect.context.get("task_run_count") == 1:
        raise ValueError("the first try fails")
    return sum(numbers)

@task
def wait(total):
    write("waiting", str(total))
    while not os.path.exists(os.path.join(HOME, "go")):
        time.sleep(0.1)

@task
def finish(waited):
    write("finished", "yes")

with Flow("trial") as flow:
    finish(wait(stumble(double.map(hold()))))
`;

const RUNS = '{ flow_runs { items { id name flow project state agent api_key_name started ended } } }';

const runsOf = async (team, admin) => (await team.ask(admin, RUNS)).flow_runs.items;

/** Registers the flow and creates a run with a user's key, and starts an agent with the account's. */
async function begin({ client, team, commands }) {
  const token = team.key(team.person(), 'laptop');
  const admin = team.key(team.person(), 'watcher');
  const login = await client.run([...commands.login, token]);
  expect(login.code, login.all).toBe(0);
  const created = await client.run(['create', 'project', 'P']);
  expect(created.all).toContain('P created');
  const path = client.write('trial.py', flow(client.home));
  const registered = await client.run(['register', '--project', 'P', '--path', path, '--label', 'trial']);
  expect(registered.code, registered.all).toBe(0);
  expect(registered.all).toContain('1 registered');
  const run = await client.run(commands.run);
  expect(run.code, run.all).toBe(0);
  const [waiting] = await runsOf(team, admin);
  expect(waiting).toMatchObject({ flow: 'trial', project: 'P', state: 'Scheduled', agent: null, api_key_name: null });
  const key = team.key(team.account('runner'), 'agents');
  const start = () => client.start(['agent', 'local', 'start', commands.agent, key, '--name', 'night', '--label', 'trial', '--show-flow-logs']);
  return { admin, key, id: waiting.id, agent: start() };
}

/** What is stored of a run. */
async function stored(team, admin, id) {
  const fields = '{ state states { serialized_state } logs(order_by: { timestamp: asc }) { message } task_runs { state map_index task { slug } } }';
  return (await team.ask(admin, `{ flow_run(where: { id: { _eq: "${id}" } }) ${fields} }`)).flow_run[0];
}

/** Defines the tests of flows for a client with its own commands. */
export function flowsRunUntilRevoked(commands) {
  test('a flow runs to its end with the key of its agent', async ({ client, team }) => {
    const { admin, key, id, agent } = await begin({ client, team, commands });
    client.write('go', '');
    await expect.poll(async () => (await runsOf(team, admin))[0].state, { message: agent.said(), timeout: 120_000 }).toBe('Success');
    expect(client.read('held')).toBe(key);
    expect(client.read('waiting')).toBe('12');
    expect(client.read('finished')).toBe('yes');
    const [run] = await runsOf(team, admin);
    expect(run).toMatchObject({ id, agent: 'night', api_key_name: 'agents' });
    expect(run.started && run.ended).toBeTruthy();
    await expect.poll(async () => (await stored(team, admin, id)).logs.map((line) => line.message)).toContain('hello from the flow');
    const seen = await stored(team, admin, id);
    expect(seen.states.map((state) => state.serialized_state.type)).toEqual(['Scheduled', 'Submitted', 'Running', 'Success']);
    const mapped = seen.task_runs.filter((row) => row.task.slug.startsWith('double'));
    expect(mapped.map((row) => row.map_index).sort()).toEqual([-1, 0, 1, 2]);
    expect(new Set(seen.task_runs.map((row) => row.state)), JSON.stringify(seen.task_runs)).toEqual(new Set(['Success', 'Mapped']));
  });

  test('when its key is revoked, neither the agent nor the flow gets through', async ({ client, team }) => {
    const { admin, id, agent } = await begin({ client, team, commands });
    await expect.poll(() => client.read('waiting'), { message: agent.said(), timeout: 120_000 }).toBe('12');
    await revoke(team, admin, 'agents');
    const before = await stored(team, admin, id);
    client.write('go', '');
    await expect.poll(agent.said).toMatch(/Failed to query for ready flow runs|Error while contacting/);
    await expect.poll(agent.said).toMatch(/Failed to set task state|ClientFailed|AuthorizationError/);
    expect((await agentsOf(team, admin)).map((row) => row.state)).toEqual(['cut_off']);
    const after = await stored(team, admin, id);
    expect(after.state).toBe('Running');
    expect(after.task_runs).toEqual(before.task_runs);
    expect(after.logs).toEqual(before.logs);
    expect(client.read('finished')).toBe('');
  });
}
