-- Long-running clients of keys. `identity` is a digest over what makes two starts the same agent: kind, name, labels, address.
-- Labels are a JSON list of texts.
CREATE TABLE agents (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenants (id),
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    identity BLOB NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    labels TEXT NOT NULL,
    version TEXT,
    address TEXT,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    UNIQUE (key_id, identity)
) STRICT;
CREATE INDEX agents_by_tenant ON agents (tenant_id, last_seen_at);
CREATE INDEX agents_by_key ON agents (key_id, last_seen_at);
