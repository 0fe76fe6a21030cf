-- What a person sees of their sessions; the cookie's secret is in none of it.
ALTER TABLE sessions ADD COLUMN id UUID;
ALTER TABLE sessions ADD COLUMN signed_in_at BIGINT;
ALTER TABLE sessions ADD COLUMN seen_at BIGINT;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;

-- TOTP (RFC 6238). The secret must be readable to check a code with it. `last_step`: no step counts twice.
CREATE TABLE second_factors (
    user_id UUID NOT NULL PRIMARY KEY REFERENCES users (id),
    secret BYTEA NOT NULL,
    begun_at BIGINT NOT NULL,
    enabled_at BIGINT,
    last_step BIGINT NOT NULL
);

-- SHA-256 of each; a used one is gone.
CREATE TABLE recovery_codes (
    user_id UUID NOT NULL REFERENCES users (id),
    digest BYTEA NOT NULL,
    PRIMARY KEY (user_id, digest)
);
