-- When tenants run by themselves, what became of every due instant, and whose
-- turn it is among those that wait (docs/decisions/022-scheduling.md).

-- An integration's default schedule, what its tenants may choose, and its caps;
-- 0: no cap of its own. No row: no default and no caps.
create table integration_policies (
    integration_id integer primary key references integrations (id),
    text text not null, -- empty: tenants without a schedule of their own have none
    zone text not null,
    gap text not null,
    overlap text not null,
    jitter_seconds integer not null check (jitter_seconds >= 0),
    missed text not null,
    window_seconds integer not null check (window_seconds >= 0),
    when_busy text not null,
    allowed text not null, -- JSON: texts that tenants may choose from; empty: any
    most_running integer not null check (most_running >= 0),
    most_waiting integer not null check (most_waiting >= 0),
    starts_per_minute integer not null check (starts_per_minute >= 0),
    tenant_starts_per_minute integer not null check (tenant_starts_per_minute >= 0),
    retries integer not null check (retries >= 0),
    retry_first_seconds integer not null check (retry_first_seconds >= 0),
    retry_longest_seconds integer not null check (retry_longest_seconds >= 0),
    modified integer not null
) strict;

create table schedules (
    id integer primary key autoincrement,
    tenant_id integer not null unique references tenants (id),
    own integer not null check (own in (0, 1)), -- 0: follows the integration's default
    text text not null,
    zone text not null,
    gap text not null,
    overlap text not null,
    jitter_seconds integer not null check (jitter_seconds >= 0),
    missed text not null,
    window_seconds integer not null check (window_seconds >= 0),
    when_busy text not null,
    enabled integer not null check (enabled in (0, 1)),
    settled integer not null,   -- every instant of the grid up to here is in the ledger
    forgotten integer not null, -- the last that fired and is cut from the ledger: none before it
    nominal integer,            -- the next instant of the grid; null: to be worked out
    fire integer,               -- when to look at it: the nominal instant and its jitter
    fired integer,              -- the last nominal instant that fired
    paused_since integer,       -- of the first instant that a pause let pass
    trouble text not null,      -- why the next instant cannot be told; it is tried again
    created integer not null,
    modified integer not null,
    -- `Enabled and nothing armed` cannot be written.
    check ((enabled = 1) = (fire is not null))
) strict;
create index schedules_fire on schedules (fire) where fire is not null;

-- The ledger: what became of every due instant.
create table slots (
    schedule_id integer not null references schedules (id),
    nominal integer not null,
    tenant_id integer not null references tenants (id),
    last integer not null,     -- other than nominal: the row stands for all between
    instants integer not null, -- how many it stands for; 0: too many to be counted
    outcome text not null check (outcome in ('fired', 'skipped')),
    reason text not null,
    late_us integer not null,
    trigger_id text,
    recorded integer not null,
    primary key (schedule_id, nominal),
    check ((outcome = 'fired') = (trigger_id is not null))
) strict;

-- Whose turn it is: the lowest virtual time of an integration's tenants goes first.
alter table waiting add column integration_id integer not null default 0;
alter table waiting add column virtual_time integer not null default 0;
update waiting set integration_id =
    (select integration_id from tenants where tenants.id = waiting.tenant_id);
update waiting set virtual_time = 9223372036854775807 -- archived: not among the turns
    where tenant_id in (select id from tenants where archived = 1);
drop index waiting_oldest;
create index waiting_turn on waiting (integration_id, virtual_time, oldest_seq);

-- How much waits for an integration, and (id 0) for the host: summed up, not counted.
create table loads (
    integration_id integer primary key,
    waiting integer not null check (waiting >= 0)
) strict;
insert into loads (integration_id, waiting)
    select integration_id, sum(triggers) from waiting group by integration_id;
insert into loads (integration_id, waiting)
    select 0, coalesce(sum(triggers), 0) from waiting;

-- Up to which virtual time a tenant has had its share.
create table shares (
    tenant_id integer primary key references tenants (id),
    virtual_time integer not null
) strict;

-- A retry waits for its time. A clock that stands before `put_off`, when that was
-- decided, has gone back since, and the wait is over.
alter table runs add column not_before integer;
alter table runs add column put_off integer;
