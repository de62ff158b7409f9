-- What each run was given, so that it can be run again as it was; and what it took
-- (docs/decisions/028-reruns.md).

-- Settings, metadata and states that runs were given: each text once for all runs
-- of a tenant, gone with the last of them.
create table given_texts (
    id integer primary key autoincrement,
    tenant_id integer not null references tenants (id),
    hash text not null, -- SHA-256
    text text not null,
    uses integer not null check (uses > 0),
    unique (tenant_id, hash)
) strict;

-- No foreign keys to the texts: deleting one would look through all of this table.
create table given (
    run_id integer primary key references runs (id),
    tenant_id integer not null references tenants (id),
    configs integer not null,
    metadata integer,            -- null: its release has none
    last_run integer,            -- null: there was none
    last_successful_run integer
) strict;

-- What a rerun that was asked for is to be given.
create table reruns (
    trigger_id text primary key references triggers (id),
    tenant_id integer not null references tenants (id),
    origin_id integer not null references runs (id),
    triggers_of integer not null references runs (id), -- whose triggers it hands over
    configs_from text not null,
    configs text not null,
    state_from text not null,
    state text not null,
    release_from text not null,
    keeps_state integer not null check (keeps_state in (0, 1))
) strict;
-- A run stays as long as it has reruns.
create index reruns_origin on reruns (origin_id);
create index reruns_triggers on reruns (triggers_of);

alter table triggers add column rerun integer not null default 0 check (rerun in (0, 1));

alter table runs add column rerun_of integer;
-- 0: later runs are told nothing of it.
alter table runs add column keeps_state integer not null default 1 check (keeps_state in (0, 1));

-- How long it was in each state that is not final, over all its attempts.
alter table runs add column state_since integer; -- null: not known, begun before this was kept
alter table runs add column queued_us integer not null default 0;
alter table runs add column preparing_us integer not null default 0;
alter table runs add column starting_us integer not null default 0;
alter table runs add column running_us integer not null default 0;
-- Through berth-egress.
alter table runs add column sent_bytes integer not null default 0;
alter table runs add column received_bytes integer not null default 0;

-- The shortest time between two firings that users may choose; 0: any.
alter table integration_policies
    add column shortest_seconds integer not null default 0 check (shortest_seconds >= 0);
