-- A person's calendar feeds, those of their keys too.
CREATE INDEX calendar_feeds_of_user ON calendar_feeds (user_id);
