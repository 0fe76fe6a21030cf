-- A person's key can have a calendar feed of its own: of its tenant alone, and for as long as the key is good.
CREATE TABLE feeds (
    digest BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users (id),
    key_id BLOB REFERENCES api_keys (id),
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO feeds (digest, user_id, created_at) SELECT digest, user_id, created_at FROM calendar_feeds;
DROP TABLE calendar_feeds;
ALTER TABLE feeds RENAME TO calendar_feeds;
CREATE UNIQUE INDEX calendar_feeds_by_user ON calendar_feeds (user_id) WHERE key_id IS NULL;
CREATE UNIQUE INDEX calendar_feeds_by_key ON calendar_feeds (key_id) WHERE key_id IS NOT NULL;
