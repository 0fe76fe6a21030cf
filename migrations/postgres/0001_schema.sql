-- Times are microseconds since 1970-01-01 UTC, from the service's clock. Sorted text compares by code point, as on
-- SQLite.
CREATE TABLE tenants (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id UUID NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- What the name looks like: the same for names that are easily mistaken for each other.
    name_look TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX users_by_look ON users (name_look);

-- The secret keys that encrypt values in the other tables. The keys themselves are kept outside of the database; `id` is
-- part of the SHA-256 of the key. The latest one encrypts new values.
CREATE TABLE secret_keys (
    id TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

-- TOTP (RFC 6238). The secret isn't hashed, because checking a code needs it; it is encrypted with a secret key. No time
-- step up to `last_step` is accepted again. `failures` counts the wrong codes since the last right one. While
-- `locked_at` is set, only recovery codes are accepted.
CREATE TABLE second_factors (
    user_id UUID NOT NULL PRIMARY KEY REFERENCES users (id),
    secret BYTEA NOT NULL,
    secret_key_id TEXT NOT NULL REFERENCES secret_keys (id),
    begun_at BIGINT NOT NULL,
    enabled_at BIGINT,
    last_step BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    locked_at BIGINT
);
CREATE INDEX second_factors_by_key ON second_factors (secret_key_id);

-- `digest` is the SHA-256 of a recovery code. A used code is deleted.
CREATE TABLE recovery_codes (
    user_id UUID NOT NULL REFERENCES users (id),
    digest BYTEA NOT NULL,
    PRIMARY KEY (user_id, digest)
);

-- Browser sessions. `digest` is the SHA-256 of the cookie's secret. The columns from `id` on are set after sign-in.
CREATE TABLE sessions (
    digest BYTEA NOT NULL PRIMARY KEY,
    user_id UUID REFERENCES users (id),
    data TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    id UUID,
    signed_in_at BIGINT,
    seen_at BIGINT,
    address TEXT,
    user_agent TEXT
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- What browsers show to gateways instead of the session's cookie, which browsers send to Latchkey's own host only.
-- `digest` is the SHA-256 of the secret. With a `state`, it is a code that a browser with that state can use once.
CREATE TABLE gateway_passes (
    digest BYTEA NOT NULL PRIMARY KEY,
    gateway TEXT NOT NULL,
    user_id UUID NOT NULL REFERENCES users (id),
    session_id UUID NOT NULL,
    state BYTEA,
    expires_at BIGINT NOT NULL
);
CREATE INDEX gateway_passes_by_expiry ON gateway_passes (expires_at);

-- Failed and current authentication attempts. `bucket` is the SHA-256 of the account or address that they count
-- against; `attempts` holds their times in microseconds, oldest first, separated by spaces.
CREATE TABLE throttle (
    bucket BYTEA NOT NULL PRIMARY KEY,
    attempts TEXT NOT NULL,
    last_attempt_at BIGINT NOT NULL
);
CREATE INDEX throttle_by_last_attempt ON throttle (last_attempt_at);

-- Browsers in which a user has signed in. Their failed attempts to sign in are counted separately from those of
-- strangers. `digest` is the SHA-256 of the cookie's secret.
CREATE TABLE remembered_browsers (
    digest BYTEA NOT NULL,
    user_id UUID NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (digest, user_id)
);
CREATE INDEX remembered_browsers_by_user ON remembered_browsers (user_id, created_at);
CREATE INDEX remembered_browsers_by_age ON remembered_browsers (created_at);

-- Every transaction that depends on the row increments `revision`, so that such transactions wait for each other.
CREATE TABLE memberships (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    user_id UUID NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    created_at BIGINT NOT NULL,
    revision BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, tenant_id)
);
CREATE INDEX memberships_by_tenant ON memberships (tenant_id);

-- `digest` is the SHA-256 of the secret in the invitation's link. `closed_at` is when it was accepted, cancelled or
-- replaced.
CREATE TABLE invitations (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    digest BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- The user or service account; NULL for the operator.
    created_by_id UUID,
    -- The key or the browser session that created it. Revoking the key, or ending the session, closes the
    -- invitation.
    created_by_key UUID,
    created_by_session UUID,
    expires_at BIGINT NOT NULL,
    closed_at BIGINT
);
CREATE INDEX invitations_by_tenant ON invitations (tenant_id, created_at);
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email) WHERE closed_at IS NULL;
CREATE INDEX invitations_by_creating_key ON invitations (created_by_key) WHERE created_by_key IS NOT NULL AND closed_at IS NULL;
CREATE INDEX invitations_by_creating_session ON invitations (created_by_session) WHERE created_by_session IS NOT NULL AND closed_at IS NULL;

CREATE TABLE service_accounts (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    suspended_at BIGINT,
    suspended_by TEXT,
    deleted_at BIGINT,
    deleted_by TEXT,
    idempotency_key UUID,
    revision BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX service_accounts_active_name ON service_accounts (tenant_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX service_accounts_idempotency ON service_accounts (tenant_id, idempotency_key);
CREATE INDEX service_accounts_by_name ON service_accounts (tenant_id, name_folded, id);
CREATE INDEX service_accounts_by_created ON service_accounts (tenant_id, created_at, id);
CREATE INDEX service_accounts_active_by_name ON service_accounts (tenant_id, name_folded, id) WHERE deleted_at IS NULL;
CREATE INDEX service_accounts_active_by_created ON service_accounts (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX service_accounts_deleted_by_name ON service_accounts (tenant_id, name_folded, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX service_accounts_deleted_by_created ON service_accounts (tenant_id, created_at, id) WHERE deleted_at IS NOT NULL;

CREATE TABLE api_keys (
    id UUID NOT NULL PRIMARY KEY,
    -- SHA-256 of the whole token.
    digest BYTEA NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    user_id UUID REFERENCES users (id),
    service_account_id UUID REFERENCES service_accounts (id),
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    -- Lists are indexed by this number: 0 active, 1 suspended (itself or with its account), 2 revoked, 3 expired. The
    -- service marks a key up to a second after it expires, so statements also compare `expires_at` with the time.
    lifecycle BIGINT NOT NULL CHECK (lifecycle IN (0, 1, 2, 3)),
    -- Precise to the millisecond, like the id (UUID v7), so that ids sort by creation.
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_by_id UUID NOT NULL,
    created_by_key UUID,
    -- The public id of the browser session.
    created_by_session UUID,
    created_channel TEXT NOT NULL,
    expires_at BIGINT,
    suspended_at BIGINT,
    suspended_by TEXT,
    suspended_by_id UUID,
    -- When it was last resumed. Time before that doesn't count as unused.
    resumed_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    revoke_reason TEXT,
    -- When its owner or creator left the tenant or was deleted.
    orphaned_at BIGINT,
    -- Rotation: the key that this one replaces, the key that replaces it and since when, and its expiry before the
    -- rotation. `ends_key` is set on the new key: its first use expires that key.
    replaces UUID,
    replaced_by UUID,
    rolled_at BIGINT,
    expires_before_roll BIGINT,
    ends_key UUID,
    last_used_at BIGINT,
    last_used_address TEXT,
    last_used_agent TEXT,
    last_refused_at BIGINT,
    last_refused_address TEXT,
    last_refused_agent TEXT,
    -- The first report that its token was found where others can read it.
    exposed_at BIGINT,
    exposed_source TEXT,
    exposed_url TEXT,
    idempotency_key UUID,
    -- The scopes that it holds, sorted and separated by spaces; NULL for all that its owner's role allows.
    scopes TEXT,
    -- The networks from which it may be used, in CIDR notation, sorted and separated by spaces; NULL for all.
    allowed_addresses TEXT,
    -- How many requests are accepted in how many seconds; NULL for any number.
    rate_requests BIGINT,
    rate_seconds BIGINT,
    -- When its token, which another system has made, was imported; NULL for a token in Latchkey's format.
    imported_at BIGINT,
    CHECK ((rate_requests IS NULL) = (rate_seconds IS NULL)),
    CHECK (rate_requests BETWEEN 1 AND 1000000 AND rate_seconds BETWEEN 1 AND 86400),
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL)),
    CHECK ((lifecycle = 2) = (revoked_at IS NOT NULL))
);
CREATE UNIQUE INDEX api_keys_user_idempotency ON api_keys (user_id, idempotency_key, tenant_id) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX api_keys_account_idempotency ON api_keys (service_account_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
-- A key has one owner, so each of these contains only the keys of one kind of owner.
CREATE INDEX api_keys_user_created ON api_keys (user_id, lifecycle, created_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX api_keys_user_name ON api_keys (user_id, lifecycle, name_folded, id) WHERE user_id IS NOT NULL;
CREATE INDEX api_keys_user_expires ON api_keys (user_id, lifecycle, COALESCE(expires_at, 9223372036854775807), id) WHERE user_id IS NOT NULL;
CREATE INDEX api_keys_user_used ON api_keys (user_id, lifecycle, COALESCE(last_used_at, 0), id) WHERE user_id IS NOT NULL;
CREATE INDEX api_keys_account_created ON api_keys (service_account_id, lifecycle, created_at, id) WHERE service_account_id IS NOT NULL;
CREATE INDEX api_keys_account_name ON api_keys (service_account_id, lifecycle, name_folded, id) WHERE service_account_id IS NOT NULL;
CREATE INDEX api_keys_account_expires ON api_keys (service_account_id, lifecycle, COALESCE(expires_at, 9223372036854775807), id) WHERE service_account_id IS NOT NULL;
CREATE INDEX api_keys_account_used ON api_keys (service_account_id, lifecycle, COALESCE(last_used_at, 0), id) WHERE service_account_id IS NOT NULL;
-- These include the expiry, so that a list can skip expired keys without reading their rows.
CREATE INDEX api_keys_tenant_created ON api_keys (tenant_id, lifecycle, created_at, id, expires_at);
CREATE INDEX api_keys_tenant_name ON api_keys (tenant_id, lifecycle, name_folded, id, expires_at);
CREATE INDEX api_keys_tenant_expires ON api_keys (tenant_id, lifecycle, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_tenant_used ON api_keys (tenant_id, lifecycle, COALESCE(last_used_at, 0), id, expires_at, created_at);
-- Covers the columns that a search reads of each key that it finds.
CREATE INDEX api_keys_found ON api_keys (id, tenant_id, lifecycle, created_at, name_folded, expires_at);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL AND lifecycle < 2;
CREATE INDEX api_keys_by_hint ON api_keys (tenant_id, hint);
CREATE INDEX api_keys_by_creating_key ON api_keys (created_by_key) WHERE created_by_key IS NOT NULL;
CREATE INDEX api_keys_rolled ON api_keys (tenant_id, last_refused_at) WHERE replaced_by IS NOT NULL;
-- Inventory filters and key policies: orphaned keys, lifetimes, and users' keys.
CREATE INDEX api_keys_orphaned ON api_keys (tenant_id, lifecycle, orphaned_at) WHERE orphaned_at IS NOT NULL;
CREATE INDEX api_keys_exposed ON api_keys (tenant_id, lifecycle, exposed_at) WHERE exposed_at IS NOT NULL;
CREATE INDEX api_keys_tenant_lifetime ON api_keys (tenant_id, lifecycle, (COALESCE(expires_at, 9223372036854775807) - created_at));
CREATE INDEX api_keys_tenant_users ON api_keys (tenant_id, lifecycle, user_id) WHERE user_id IS NOT NULL;
-- Whether there are imported keys.
CREATE INDEX api_keys_imported ON api_keys (imported_at) WHERE imported_at IS NOT NULL;

-- The catalogue: the scopes of the operator's own API, for all tenants. A row with `removed_at` is deleted when no key
-- holds the scope any more.
CREATE TABLE scopes (
    scope TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    least_role TEXT NOT NULL CHECK (least_role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    deprecated_at BIGINT,
    changed_at BIGINT NOT NULL,
    removed_at BIGINT
);

-- Search by part of a name: every suffix of every word, case-folded, so that any part of a word is the prefix of a
-- suffix.
CREATE TABLE name_search (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('key', 'account')),
    suffix TEXT COLLATE "C" NOT NULL,
    subject_id UUID NOT NULL,
    -- The whole name, for lists that are sorted by name.
    name_folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, kind, suffix, subject_id) INCLUDE (name_folded)
);

-- Key policies of tenants: one row per policy and time from which it is effective.
CREATE TABLE key_policies (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL,
    days BIGINT,
    key_limit BIGINT,
    -- What happens to an exposed key: suspend, revoke, notify.
    on_exposure TEXT,
    -- The scopes that it is about, sorted and separated by spaces.
    scopes TEXT,
    effective_from BIGINT NOT NULL,
    set_at BIGINT NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, kind, effective_from)
);

-- Long-running clients of keys. `identity` is a digest of kind, name, labels and address: starts with the same identity
-- are the same agent. `labels` is a JSON array of strings.
CREATE TABLE agents (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    key_id UUID NOT NULL REFERENCES api_keys (id),
    identity BYTEA NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    labels TEXT NOT NULL,
    version TEXT,
    address TEXT,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    UNIQUE (key_id, identity)
);
CREATE INDEX agents_by_tenant ON agents (tenant_id, last_seen_at);
CREATE INDEX agents_by_key ON agents (key_id, last_seen_at);

-- Projects of the built-in backend for flow runs (decision 0054), which is off by default.
CREATE TABLE flow_projects (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    description TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (tenant_id, name)
);

-- Registered flows, one row a version. The versions of a flow share `group_id`. `content` is the flow in JSON as its
-- client sent it, `details` the same without tasks and edges.
CREATE TABLE flows (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    project_id UUID NOT NULL REFERENCES flow_projects (id),
    group_id UUID NOT NULL,
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    idempotency_key TEXT,
    core_version TEXT,
    details TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    archived_at BIGINT,
    UNIQUE (project_id, name, version)
);
CREATE INDEX flows_by_tenant ON flows (tenant_id, created_at);

-- The tasks of a flow's version. `details` is a JSON object.
CREATE TABLE flow_tasks (
    id UUID NOT NULL PRIMARY KEY,
    flow_id UUID NOT NULL REFERENCES flows (id),
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    details TEXT NOT NULL,
    UNIQUE (flow_id, slug)
);

-- Runs of flows. `key_id`, `agent_id` and `agent_name` are those that took the run. `state_json`, `parameters`, `context`
-- and `run_config` are what clients sent; of a state, only `type` and `start_time` are read (`state`, `start_at`).
-- `labels` is a sorted JSON array of strings. `log_bytes` and `log_lines` count what was kept of the log.
CREATE TABLE flow_runs (
    id UUID NOT NULL PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    flow_id UUID NOT NULL REFERENCES flows (id),
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    state_json TEXT NOT NULL,
    start_at BIGINT,
    scheduled_at BIGINT NOT NULL,
    parameters TEXT NOT NULL,
    context TEXT NOT NULL,
    run_config TEXT NOT NULL,
    labels TEXT NOT NULL,
    idempotency_key TEXT,
    key_id UUID REFERENCES api_keys (id),
    agent_id UUID,
    agent_name TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    heartbeat_at BIGINT,
    log_bytes BIGINT NOT NULL,
    log_lines BIGINT NOT NULL,
    UNIQUE (flow_id, idempotency_key)
);
CREATE INDEX flow_runs_by_tenant ON flow_runs (tenant_id, created_at, id);
CREATE INDEX flow_runs_by_state ON flow_runs (tenant_id, state, start_at, id);
CREATE INDEX flow_runs_by_time ON flow_runs (created_at);

-- Runs of the tasks of a flow's run. `map_index` is -1 unless the task is mapped.
CREATE TABLE task_runs (
    id UUID NOT NULL PRIMARY KEY,
    flow_run_id UUID NOT NULL REFERENCES flow_runs (id),
    task_id UUID NOT NULL REFERENCES flow_tasks (id),
    map_index BIGINT NOT NULL,
    name TEXT,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    state_json TEXT NOT NULL,
    start_at BIGINT,
    updated_at BIGINT NOT NULL,
    UNIQUE (flow_run_id, task_id, map_index)
);
CREATE INDEX task_runs_by_task ON task_runs (task_id);

-- The states that a flow's run had, by its version.
CREATE TABLE flow_run_states (
    flow_run_id UUID NOT NULL REFERENCES flow_runs (id),
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    state_json TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (flow_run_id, version)
);

-- The log of a flow's run. Tokens are removed from messages.
CREATE TABLE flow_run_logs (
    flow_run_id UUID NOT NULL REFERENCES flow_runs (id),
    number BIGINT NOT NULL,
    task_run_id UUID,
    at BIGINT NOT NULL,
    name TEXT NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (flow_run_id, number)
);
CREATE INDEX flow_run_logs_by_time ON flow_run_logs (flow_run_id, at, number);

-- Usage of keys by client: an address, a user agent and an agent. An unknown value is the empty string or the nil id.
CREATE TABLE key_usage_clients (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    agent_id UUID NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_used_at BIGINT,
    last_refused_at BIGINT,
    use_count BIGINT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (key_id, address, user_agent, agent_id)
);
CREATE INDEX key_usage_clients_by_use ON key_usage_clients (key_id, last_used_at);

-- Requests that demanded a scope of a key, by client: an address and a user agent. An unknown value is the empty string.
CREATE TABLE key_usage_scopes (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    scope TEXT NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    last_used_at BIGINT,
    last_refused_at BIGINT,
    use_count BIGINT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (key_id, scope, address, user_agent)
);

-- Requests with a key that were rejected, equal ones counted in one row. At most 50 rows for each key. An unknown value is
-- the empty string, or the id of zeros. `scopes`: the demanded scopes that the key lacked, separated by spaces.
CREATE TABLE key_refusals (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    reason TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    scopes TEXT NOT NULL,
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    agent_id UUID NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (key_id, reason, endpoint, scopes, address, user_agent, agent_id)
);

-- Usage of keys by hour. Hours are counted from 1970-01-01 UTC.
CREATE TABLE key_usage_hours (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    hour BIGINT NOT NULL,
    use_count BIGINT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (key_id, hour)
);
CREATE INDEX key_usage_hours_by_hour ON key_usage_hours (hour);

-- The sums of `key_usage_hours` by day, for lists and for the sums of a tenant. Days are counted from 1970-01-01 UTC.
CREATE TABLE key_usage_days (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    day BIGINT NOT NULL,
    tenant_id UUID NOT NULL,
    use_count BIGINT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (key_id, day)
);
CREATE INDEX key_usage_days_by_tenant ON key_usage_days (tenant_id, day);
CREATE INDEX key_usage_days_by_day ON key_usage_days (day);

-- Rejected requests with a tenant's keys, by day and reason. Days are counted from 1970-01-01 UTC.
CREATE TABLE tenant_refusal_days (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    day BIGINT NOT NULL,
    reason TEXT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, day, reason)
);
CREATE INDEX tenant_refusal_days_by_day ON tenant_refusal_days (day);

-- Refused tokens that belong to no key, by hour and reason.
CREATE TABLE refusal_hours (
    hour BIGINT NOT NULL,
    reason TEXT NOT NULL,
    refusal_count BIGINT NOT NULL,
    PRIMARY KEY (hour, reason)
);

-- Changes to many keys that are made in steps. A row is inserted with the change of the owner that makes them necessary,
-- and deleted after the last step.
CREATE TABLE pending_changes (
    id UUID NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('revoke', 'follow_account', 'adopt')),
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    user_id UUID,
    service_account_id UUID,
    at BIGINT NOT NULL,
    actor_name TEXT NOT NULL,
    reason TEXT NOT NULL
);

-- One row, which servers change to prove that they can.
CREATE TABLE readiness (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    written_at BIGINT NOT NULL
);

-- One row: the latest time that a server has believed for long enough, and the last jump ahead of a machine's clock that was
-- believed. `offset_before` is what had to be added to the monotonic clock of that boot of the machine before the jump.
CREATE TABLE clock (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seen_at BIGINT NOT NULL,
    jumped_boot TEXT,
    offset_before BIGINT
);

-- Expiry reminders. The row is inserted before the mail is sent, so that each is sent only once.
CREATE TABLE expiry_reminders (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    days_before BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, days_before)
);

-- Calendar feeds. `digest` is the SHA-256 of the secret in the link. A feed with a key shows only that key's tenant,
-- and stops working when the key does.
CREATE TABLE calendar_feeds (
    digest BYTEA NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    key_id UUID REFERENCES api_keys (id),
    -- The public id of the browser session that created it.
    session_id UUID,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX calendar_feeds_by_user ON calendar_feeds (user_id) WHERE key_id IS NULL;
CREATE UNIQUE INDEX calendar_feeds_by_key ON calendar_feeds (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX calendar_feeds_of_user ON calendar_feeds (user_id);

-- Each entry has a number, the hash of the entry before it and its own hash. There is one chain for each tenant, and
-- one for entries without a tenant.
CREATE TABLE audit_log (
    id UUID NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    tenant_id UUID,
    operation TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
    actor_kind TEXT NOT NULL,
    actor_id UUID,
    actor_name TEXT NOT NULL,
    channel TEXT NOT NULL,
    key_id UUID,
    address TEXT,
    user_agent TEXT,
    subject_kind TEXT NOT NULL,
    subject_id UUID,
    subject_name TEXT NOT NULL,
    detail TEXT NOT NULL,
    seq BIGINT NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL
);
CREATE UNIQUE INDEX audit_log_chain ON audit_log (tenant_id, seq);
CREATE INDEX audit_log_by_operation ON audit_log (tenant_id, operation, seq);
CREATE INDEX audit_log_by_actor ON audit_log (tenant_id, actor_id, seq);
CREATE INDEX audit_log_by_name ON audit_log (tenant_id, actor_name, seq);
-- Includes the outcome, so that the entries of each day are counted without reading the table.
CREATE INDEX audit_log_by_time ON audit_log (tenant_id, at, outcome);
CREATE INDEX audit_log_by_subject ON audit_log (tenant_id, subject_id, seq);
CREATE INDEX audit_log_by_key ON audit_log (tenant_id, key_id, seq) WHERE key_id IS NOT NULL;

-- The last number and hash of each chain, so that a truncated chain is detected. The nil id is the chain of entries
-- without a tenant. `new_actor_name`: the actor of the last entry, if the name was new in the chain; a trigger adds it to
-- `audit_actor_names`.
CREATE TABLE audit_heads (
    tenant_id UUID NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    new_actor_name TEXT,
    new_actor_name_folded TEXT COLLATE "C"
);

-- The last periodic verification of each chain. A server claims one before it verifies it; checked_at is null until the
-- first result. problem: what was found, null if the chain is intact.
CREATE TABLE audit_checks (
    tenant_id UUID NOT NULL PRIMARY KEY,
    claimed_at BIGINT NOT NULL,
    checked_at BIGINT,
    entries BIGINT NOT NULL DEFAULT 0,
    problem TEXT
);

-- Actor names in each chain, case-folded by the service, so that search ignores case in any script.
CREATE TABLE audit_actor_names (
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
CREATE FUNCTION audit_heads_named() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_actor_names (tenant_id, name, name_folded)
        VALUES (NEW.tenant_id, NEW.new_actor_name, NEW.new_actor_name_folded) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_heads_named AFTER UPDATE OF new_actor_name ON audit_heads FOR EACH ROW
    WHEN (NEW.new_actor_name IS NOT NULL)
    EXECUTE FUNCTION audit_heads_named();

-- What can make a key wrong that a server knows in memory. Triggers number the changes of each tenant; the row in
-- `change_heads` makes the tenant's other changes wait, so that numbers become visible in their order. Kinds: 1 a key,
-- with its digest before the change; 2 a user and 3 a service account, with their keys in the tenant; 4 the tenant, with
-- all keys; 5 the catalogue of scopes, and 6 that the first key was imported, whose tenant is the nil id.
CREATE TABLE change_heads (
    tenant_id UUID NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

CREATE TABLE changes (
    tenant_id UUID NOT NULL,
    number BIGINT NOT NULL,
    kind BIGINT NOT NULL CHECK (kind IN (1, 2, 3, 4, 5, 6)),
    subject_id UUID NOT NULL,
    digest BYTEA,
    PRIMARY KEY (tenant_id, number)
);

CREATE FUNCTION add_change(tenant UUID, kind BIGINT, subject UUID, digest BYTEA) RETURNS VOID LANGUAGE sql AS $$
    WITH head AS (
        INSERT INTO change_heads AS h (tenant_id, number) VALUES (tenant, 1)
            ON CONFLICT (tenant_id) DO UPDATE SET number = h.number + 1 RETURNING h.number
    )
    INSERT INTO changes (tenant_id, number, kind, subject_id, digest)
        SELECT tenant, head.number, add_change.kind, subject, add_change.digest FROM head;
$$;

CREATE FUNCTION api_keys_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(OLD.tenant_id, 1, OLD.id, OLD.digest);
    RETURN NULL;
END
$$;
CREATE TRIGGER api_keys_changed AFTER UPDATE OF digest, tenant_id, user_id, service_account_id, name, expires_at, lifecycle, suspended_at, revoked_at, ends_key, scopes, allowed_addresses, rate_requests, rate_seconds ON api_keys FOR EACH ROW
    WHEN ((OLD.digest, OLD.tenant_id, OLD.user_id, OLD.service_account_id, OLD.name, OLD.expires_at, OLD.lifecycle, OLD.suspended_at, OLD.revoked_at, OLD.ends_key, OLD.scopes, OLD.allowed_addresses, OLD.rate_requests, OLD.rate_seconds) IS DISTINCT FROM (NEW.digest, NEW.tenant_id, NEW.user_id, NEW.service_account_id, NEW.name, NEW.expires_at, NEW.lifecycle, NEW.suspended_at, NEW.revoked_at, NEW.ends_key, NEW.scopes, NEW.allowed_addresses, NEW.rate_requests, NEW.rate_seconds))
    EXECUTE FUNCTION api_keys_changed();

CREATE FUNCTION api_keys_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(OLD.tenant_id, 1, OLD.id, OLD.digest);
    RETURN NULL;
END
$$;
CREATE TRIGGER api_keys_deleted AFTER DELETE ON api_keys FOR EACH ROW
    EXECUTE FUNCTION api_keys_deleted();

-- Until the first key is imported, servers know in memory that there is none. Keys that others are importing at the same
-- time aren't seen here, so each of them may be the first.
CREATE FUNCTION api_keys_imported() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM api_keys WHERE imported_at IS NOT NULL AND id <> NEW.id) THEN
        PERFORM add_change('00000000-0000-0000-0000-000000000000', 6, '00000000-0000-0000-0000-000000000000', NULL);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER api_keys_imported AFTER INSERT ON api_keys FOR EACH ROW
    WHEN (NEW.imported_at IS NOT NULL)
    EXECUTE FUNCTION api_keys_imported();

CREATE FUNCTION memberships_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(OLD.tenant_id, 2, OLD.user_id, NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER memberships_changed AFTER UPDATE OF role ON memberships FOR EACH ROW
    WHEN (OLD.role IS DISTINCT FROM NEW.role)
    EXECUTE FUNCTION memberships_changed();

CREATE FUNCTION memberships_deleted() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(OLD.tenant_id, 2, OLD.user_id, NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER memberships_deleted AFTER DELETE ON memberships FOR EACH ROW
    EXECUTE FUNCTION memberships_deleted();

CREATE FUNCTION service_accounts_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(OLD.tenant_id, 3, OLD.id, NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER service_accounts_changed AFTER UPDATE OF name, role, suspended_at, deleted_at ON service_accounts FOR EACH ROW
    WHEN ((OLD.name, OLD.role, OLD.suspended_at, OLD.deleted_at) IS DISTINCT FROM (NEW.name, NEW.role, NEW.suspended_at, NEW.deleted_at))
    EXECUTE FUNCTION service_accounts_changed();

CREATE FUNCTION tenants_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(OLD.id, 4, OLD.id, NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER tenants_changed AFTER UPDATE OF name, slug ON tenants FOR EACH ROW
    WHEN ((OLD.name, OLD.slug) IS DISTINCT FROM (NEW.name, NEW.slug))
    EXECUTE FUNCTION tenants_changed();

CREATE FUNCTION users_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change(m.tenant_id, 2, OLD.id, NULL) FROM (SELECT tenant_id FROM memberships WHERE user_id = OLD.id ORDER BY tenant_id) m;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_changed AFTER UPDATE OF name ON users FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name)
    EXECUTE FUNCTION users_changed();

CREATE FUNCTION scopes_changed() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM add_change('00000000-0000-0000-0000-000000000000', 5, '00000000-0000-0000-0000-000000000000', NULL);
    RETURN NULL;
END
$$;
CREATE TRIGGER scopes_changed AFTER INSERT OR UPDATE OR DELETE ON scopes FOR EACH ROW
    EXECUTE FUNCTION scopes_changed();
