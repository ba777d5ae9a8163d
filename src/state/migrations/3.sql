-- The number of the account that somebody logged in with. Of earlier log-ins it is not known, so they are made anew.
DELETE FROM log_ins;
ALTER TABLE log_ins ADD COLUMN uid BIGINT;
