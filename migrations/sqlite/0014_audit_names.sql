-- The names of those who did something, once for each tenant, and folded by the service: found so in any script and case.
CREATE TABLE audit_names (
    tenant_id BLOB NOT NULL,
    name TEXT NOT NULL,
    folded TEXT NOT NULL,
    PRIMARY KEY (tenant_id, name)
) STRICT;
CREATE INDEX audit_log_by_name ON audit_log (tenant_id, actor_name, seq);
INSERT INTO pending_work (name) VALUES ('audit_names');
