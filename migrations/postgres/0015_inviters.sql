-- Whose word an invitation is: it counts while they administer the tenant.
ALTER TABLE invitations ADD COLUMN created_by_id UUID;
UPDATE invitations SET closed_at = created_at WHERE closed_at IS NULL AND id NOT IN (
    SELECT i.id FROM invitations i WHERE i.closed_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM invitations j WHERE j.tenant_id = i.tenant_id AND j.email = i.email AND j.closed_at IS NULL
            AND (j.created_at > i.created_at OR (j.created_at = i.created_at AND j.id > i.id))
    )
);
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email) WHERE closed_at IS NULL;
