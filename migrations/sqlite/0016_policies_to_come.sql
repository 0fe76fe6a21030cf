-- A policy that is changed from a later day on holds as it is until then: a row for each time from which one holds.
CREATE TABLE policies (
    tenant_id BLOB NOT NULL REFERENCES tenants (id),
    policy TEXT NOT NULL,
    days INTEGER,
    holds_from INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    set_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, policy, holds_from)
) STRICT;
INSERT INTO policies SELECT tenant_id, policy, days, holds_from, set_at, set_by FROM tenant_policies;
DROP TABLE tenant_policies;
ALTER TABLE policies RENAME TO tenant_policies;
