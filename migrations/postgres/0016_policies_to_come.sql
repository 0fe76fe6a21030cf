-- A policy that is changed from a later day on holds as it is until then: a row for each time from which one holds.
ALTER TABLE tenant_policies DROP CONSTRAINT tenant_policies_pkey;
ALTER TABLE tenant_policies ADD PRIMARY KEY (tenant_id, policy, holds_from);
