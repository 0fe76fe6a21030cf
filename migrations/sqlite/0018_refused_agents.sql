-- Which client a key was last refused to: whoever looks for what still uses an old token wants to know.
ALTER TABLE api_keys ADD COLUMN last_refused_agent TEXT;

-- A key that a service account made stays marked when that account is deleted.
UPDATE api_keys SET orphaned_at = (SELECT s.deleted_at FROM service_accounts s WHERE s.id = api_keys.created_by_id)
WHERE orphaned_at IS NULL AND EXISTS (SELECT 1 FROM service_accounts s WHERE s.id = api_keys.created_by_id AND s.deleted_at IS NOT NULL);
