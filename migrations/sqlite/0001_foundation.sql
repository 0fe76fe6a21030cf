-- Times are microseconds since 1970-01-01 UTC, from the service's clock. Ids are UUIDs as 16 bytes.
CREATE TABLE tenants (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- `revision` grows with every write that leans on the row, so that such writes wait for each other.
CREATE TABLE memberships (
    tenant_id BLOB NOT NULL REFERENCES tenants (id),
    user_id BLOB NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    created_at INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, tenant_id)
) STRICT;
CREATE INDEX memberships_by_tenant ON memberships (tenant_id);

CREATE TABLE service_accounts (
    id BLOB NOT NULL PRIMARY KEY,
    tenant_id BLOB NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('TENANT_ADMIN', 'USER', 'READ_ONLY_USER')),
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT,
    idempotency_key BLOB,
    revision INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX service_accounts_living_name ON service_accounts (tenant_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX service_accounts_idempotency ON service_accounts (tenant_id, idempotency_key);
CREATE INDEX service_accounts_by_name ON service_accounts (tenant_id, name_folded, id);
CREATE INDEX service_accounts_by_created ON service_accounts (tenant_id, created_at, id);

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    tenant_id BLOB NOT NULL REFERENCES tenants (id),
    user_id BLOB REFERENCES users (id),
    service_account_id BLOB REFERENCES service_accounts (id),
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_by_id BLOB NOT NULL,
    created_by_key BLOB,
    created_channel TEXT NOT NULL,
    expires_at INTEGER,
    suspended_at INTEGER,
    revoked_at INTEGER,
    revoked_by TEXT,
    revoke_reason TEXT,
    last_used_at INTEGER,
    last_used_address TEXT,
    last_used_agent TEXT,
    idempotency_key BLOB,
    CHECK ((user_id IS NULL) <> (service_account_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX api_keys_user_idempotency ON api_keys (user_id, idempotency_key);
CREATE UNIQUE INDEX api_keys_account_idempotency ON api_keys (service_account_id, idempotency_key);
CREATE INDEX api_keys_user_created ON api_keys (user_id, created_at, id);
CREATE INDEX api_keys_user_name ON api_keys (user_id, name_folded, id);
CREATE INDEX api_keys_user_expires ON api_keys (user_id, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_user_used ON api_keys (user_id, COALESCE(last_used_at, 0), id);
CREATE INDEX api_keys_account_created ON api_keys (service_account_id, created_at, id);
CREATE INDEX api_keys_account_name ON api_keys (service_account_id, name_folded, id);
CREATE INDEX api_keys_account_expires ON api_keys (service_account_id, COALESCE(expires_at, 9223372036854775807), id);
CREATE INDEX api_keys_account_used ON api_keys (service_account_id, COALESCE(last_used_at, 0), id);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, created_at, id);

CREATE TABLE sessions (
    digest BLOB NOT NULL PRIMARY KEY,
    user_id BLOB REFERENCES users (id),
    data TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE audit_log (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    tenant_id BLOB,
    operation TEXT NOT NULL,
    result TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BLOB,
    actor_name TEXT NOT NULL,
    channel TEXT NOT NULL,
    key_id BLOB,
    address TEXT,
    user_agent TEXT,
    subject_kind TEXT NOT NULL,
    subject_id BLOB,
    subject_name TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, id);
