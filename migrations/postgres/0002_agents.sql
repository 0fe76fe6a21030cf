-- Long-running clients of keys. `identity` is a digest over what makes two starts the same agent: kind, name, labels, address.
-- Labels are a JSON list of texts.
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
