-- A person's key can have a calendar feed of its own: of its tenant alone, and for as long as the key is good.
CREATE TABLE feeds (
    digest BYTEA NOT NULL PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES users (id),
    key_id UUID REFERENCES api_keys (id),
    created_at BIGINT NOT NULL
);
INSERT INTO feeds (digest, user_id, created_at) SELECT digest, user_id, created_at FROM calendar_feeds;
DROP TABLE calendar_feeds;
ALTER TABLE feeds RENAME TO calendar_feeds;
CREATE UNIQUE INDEX calendar_feeds_by_user ON calendar_feeds (user_id) WHERE key_id IS NULL;
CREATE UNIQUE INDEX calendar_feeds_by_key ON calendar_feeds (key_id) WHERE key_id IS NOT NULL;
