CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE jobs (
    content TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    tag TEXT NOT NULL,
    bundle BIGINT NOT NULL,
    variant TEXT NOT NULL,
    rendering TEXT,
    started BIGINT NOT NULL,
    finished BIGINT,
    state TEXT NOT NULL,
    exit_code BIGINT,
    reason TEXT,
    message TEXT,
    PRIMARY KEY (content, key)
);
CREATE INDEX jobs_by_start ON jobs (content, started);
CREATE TABLE outcomes (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    succeeded BIGINT NOT NULL,
    finished BIGINT NOT NULL,
    content TEXT,
    message TEXT NOT NULL
);
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    since BIGINT NOT NULL,
    last BIGINT,
    last_successful BIGINT
);
CREATE TABLE runs (
    schedule TEXT NOT NULL,
    time BIGINT NOT NULL,
    finished BIGINT,
    succeeded BIGINT,
    message TEXT,
    PRIMARY KEY (schedule, time)
);
CREATE TABLE claims (
    work TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until BIGINT NOT NULL,
    content TEXT,
    key TEXT,
    stop BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE log_ins (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    group_names TEXT NOT NULL,
    since BIGINT NOT NULL,
    seen BIGINT NOT NULL
);
CREATE INDEX log_ins_by_name ON log_ins (name);
