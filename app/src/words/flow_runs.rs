//! The runs of flows that agents took.

words! {
    title = "Flow runs";
    pages = "Pages of flow runs";
    run = "Run";
    agent = "Agent";
    started = "Started";
    ended = "Ended";
    lead = "Runs that agents took with these keys in the last 30 days. The state is what the agent and the flow report.";
    none_yet = "No agent has run a flow with these keys yet. Register a flow with the Prefect client, create a run, and start an agent with one of the keys.";
    how = "How to run a flow";
    no_more = "There are no more runs.";

    of_flow(flow, project) = "{flow} in {project}";
}
