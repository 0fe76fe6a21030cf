-- Who uses a key: first and last seen for each address, client and agent. What isn't known is empty, and the nil id. Hours are
-- counted since 1970-01-01 UTC.
CREATE TABLE key_clients (
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    agent_id BLOB NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_used_at INTEGER,
    last_refused_at INTEGER,
    uses INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    PRIMARY KEY (key_id, address, user_agent, agent_id)
) STRICT;
CREATE INDEX key_clients_by_use ON key_clients (key_id, last_used_at);

CREATE TABLE key_hours (
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    hour INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    PRIMARY KEY (key_id, hour)
) STRICT;
CREATE INDEX key_hours_by_hour ON key_hours (hour);

-- Refused tokens that no key stands behind.
CREATE TABLE refusal_hours (
    hour INTEGER NOT NULL,
    reason TEXT NOT NULL,
    refusals INTEGER NOT NULL,
    PRIMARY KEY (hour, reason)
) STRICT;

ALTER TABLE api_keys ADD COLUMN last_refused_at INTEGER;
ALTER TABLE api_keys ADD COLUMN last_refused_address TEXT;
