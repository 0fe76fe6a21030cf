-- Which reminders of a key's end were sent, so that each goes out once: a row is put in before its mail is sent.
CREATE TABLE expiry_notices (
    key_id UUID NOT NULL REFERENCES api_keys (id),
    days BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, days)
);
CREATE INDEX api_keys_by_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL AND revoked_at IS NULL;

-- A person's calendar feed, under the SHA-256 of its link's secret.
CREATE TABLE calendar_feeds (
    user_id UUID NOT NULL PRIMARY KEY REFERENCES users (id),
    digest BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);
