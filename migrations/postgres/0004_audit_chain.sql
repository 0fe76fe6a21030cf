-- Each line of the audit log carries a number, the hash of the line before it and its own: one chain for each tenant. Lines
-- of no tenant have a chain of their own, under the nil id. The head tells where a chain ends, so that a cut-off end is seen.
ALTER TABLE audit_log ADD COLUMN seq BIGINT;
ALTER TABLE audit_log ADD COLUMN previous BYTEA;
ALTER TABLE audit_log ADD COLUMN hash BYTEA;
CREATE TABLE audit_heads (
    tenant_id UUID NOT NULL PRIMARY KEY,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
DROP INDEX audit_log_by_tenant;
CREATE UNIQUE INDEX audit_log_chain ON audit_log (tenant_id, seq);
CREATE INDEX audit_log_by_operation ON audit_log (tenant_id, operation, seq);
CREATE INDEX audit_log_by_subject ON audit_log (tenant_id, subject_id, seq);
CREATE INDEX audit_log_by_actor ON audit_log (tenant_id, actor_id, seq);
CREATE INDEX audit_log_by_time ON audit_log (tenant_id, at);
