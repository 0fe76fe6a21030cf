-- What is to be done with the rows of earlier versions after the migrations. A row stands until it is done.
CREATE TABLE pending_work (
    name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO pending_work (name) VALUES ('chain_audit_log'), ('index_names');

-- Keys of service accounts whose maker had left already: since when isn't known.
UPDATE api_keys SET orphaned_at = created_at
WHERE orphaned_at IS NULL AND revoked_at IS NULL AND service_account_id IS NOT NULL
    AND created_by_id IN (SELECT id FROM users)
    AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = api_keys.created_by_id AND m.tenant_id = api_keys.tenant_id);
