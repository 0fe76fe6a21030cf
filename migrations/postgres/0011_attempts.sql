-- Attempts to show who one is that failed, or are being tried, in the last minutes: under the SHA-256 of the account or
-- address that they count for; their times in microseconds, oldest first, spaces between.
CREATE TABLE attempts (
    name BYTEA NOT NULL PRIMARY KEY,
    times TEXT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE INDEX attempts_by_last ON attempts (last_at);
