-- What a person sees of their sessions; the cookie's secret is in none of it.
ALTER TABLE sessions ADD COLUMN id BLOB;
ALTER TABLE sessions ADD COLUMN signed_in_at INTEGER;
ALTER TABLE sessions ADD COLUMN seen_at INTEGER;
ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;

-- TOTP (RFC 6238). The secret must be readable to check a code with it. `last_step`: no step counts twice.
CREATE TABLE second_factors (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id),
    secret BLOB NOT NULL,
    begun_at INTEGER NOT NULL,
    enabled_at INTEGER,
    last_step INTEGER NOT NULL
) STRICT;

-- SHA-256 of each; a used one is gone.
CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users (id),
    digest BLOB NOT NULL,
    PRIMARY KEY (user_id, digest)
) STRICT;
