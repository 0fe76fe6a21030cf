-- Who uses a key: first and last seen for each address, client and agent. What isn't known is empty, and the nil id. Hours are
-- counted since 1970-01-01 UTC.
CREATE TABLE key_clients (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    agent_id UUID NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_used_at BIGINT,
    last_refused_at BIGINT,
    uses BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    PRIMARY KEY (key_id, address, user_agent, agent_id)
);
CREATE INDEX key_clients_by_use ON key_clients (key_id, last_used_at);

CREATE TABLE key_hours (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    hour BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    refusals BIGINT NOT NULL,
    PRIMARY KEY (key_id, hour)
);
CREATE INDEX key_hours_by_hour ON key_hours (hour);

-- Refused tokens that no key stands behind.
CREATE TABLE refusal_hours (
    hour BIGINT NOT NULL,
    reason TEXT NOT NULL,
    refusals BIGINT NOT NULL,
    PRIMARY KEY (hour, reason)
);

ALTER TABLE api_keys ADD COLUMN last_refused_at BIGINT;
ALTER TABLE api_keys ADD COLUMN last_refused_address TEXT;
