CREATE TABLE contents (
    content TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    run_as TEXT NOT NULL
);
CREATE TABLE bundles (
    content TEXT NOT NULL,
    bundle BIGINT NOT NULL,
    deployed BIGINT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT,
    manifest TEXT,
    bytes BIGINT NOT NULL,
    active BIGINT NOT NULL,
    PRIMARY KEY (content, bundle)
);
CREATE TABLE results (
    content TEXT NOT NULL,
    variant TEXT NOT NULL,
    result BIGINT NOT NULL,
    bundle BIGINT NOT NULL,
    job TEXT NOT NULL,
    finished BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    active BIGINT NOT NULL,
    PRIMARY KEY (content, variant, result)
);
CREATE TABLE apps (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    access TEXT NOT NULL,
    run_as TEXT NOT NULL
);
CREATE INDEX apps_by_content ON apps (content);
-- Of what the job was begun for: one that has ended is the end of this and of nothing else.
ALTER TABLE claims ADD COLUMN digest TEXT;
