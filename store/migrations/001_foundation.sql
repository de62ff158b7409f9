-- The first tables. One text for SQLite and PostgreSQL: only the types integer,
-- text and blob, `integer primary key autoincrement` for ids that are never given
-- out twice, and `strict` at the end, which the PostgreSQL side translates.
-- Times are microseconds since 1970 UTC, booleans 0 or 1, JSON is text.

create table settings (
    name text primary key,
    value text not null,
    modified integer not null
) strict;

-- The last number given out, for numbers that are no row's id.
create table counters (
    name text primary key,
    value integer not null
) strict;

create table integrations (
    id integer primary key autoincrement,
    name text not null unique,
    long_name text not null,
    type text not null,
    repository_url text not null,
    repository_path text not null,
    repository_tracking_branch text not null,
    -- No foreign key: releases refer to integrations, and the other way round would
    -- make a circle that PostgreSQL cannot create. set_default_release checks it.
    default_release_id integer,
    default_release_channel text,
    network text not null,
    on_lost text not null,
    wall_time_seconds integer not null check (wall_time_seconds > 0),
    memory_bytes integer not null check (memory_bytes > 0),
    archived integer not null check (archived in (0, 1)),
    paused integer not null check (paused in (0, 1)),
    created integer not null,
    modified integer not null
) strict;

create table releases (
    id integer primary key autoincrement,
    integration_id integer not null references integrations (id),
    name text not null,
    tag text not null,
    config_version text not null,
    base text not null,
    runtime text not null,
    build_command text not null,
    run_command text not null,
    config_schema text not null,
    ui_schema text not null,
    metadata_schema text not null,
    content_hash text not null,
    created integer not null,
    unique (integration_id, content_hash)
) strict;

create table connectors (
    id integer primary key autoincrement,
    name text not null unique,
    kind text not null,
    created integer not null
) strict;

create table integration_connectors (
    integration_id integer not null references integrations (id),
    connector_id integer not null references connectors (id),
    is_global integer not null check (is_global in (0, 1)),
    primary key (integration_id, connector_id)
) strict;

create table tenants (
    id integer primary key autoincrement,
    name text not null,
    user_name text not null,
    integration_id integer not null references integrations (id),
    archived integer not null check (archived in (0, 1)),
    paused integer not null check (paused in (0, 1)),
    configs text not null,
    dynamic_configs text not null,
    user_schedule text not null,
    schedule text not null,
    source text not null,
    release_id integer references releases (id),
    release_channel text,
    created integer not null,
    modified integer not null,
    check (release_id is null or release_channel is null)
) strict;
create unique index tenants_name on tenants (integration_id, name) where archived = 0;
create index tenants_user on tenants (user_name, integration_id);

create table tenant_metadata (
    tenant_id integer primary key references tenants (id),
    data text not null,
    created integer not null,
    modified integer not null
) strict;

create table connections (
    id integer primary key autoincrement,
    connector_id integer not null references connectors (id),
    integration_id integer not null references integrations (id),
    tenant_id integer references tenants (id), -- null: global
    status text not null,
    reason text not null,
    last_version integer not null, -- of its secrets; only ever counts up
    last_change integer not null
) strict;
create unique index connections_tenant on connections (tenant_id, connector_id)
    where tenant_id is not null;
create unique index connections_global on connections (integration_id, connector_id)
    where tenant_id is null;

create table secrets (
    connection_id integer not null references connections (id),
    field text not null,
    tenant_id integer references tenants (id),
    version integer not null,
    envelope blob not null,
    key_id integer not null, -- both from the envelope: a one-time key is used once
    salt blob not null,
    primary key (connection_id, field),
    unique (key_id, salt)
) strict;

create table keks (
    term integer primary key,
    envelope blob not null,
    key_id integer not null,
    salt blob not null,
    created integer not null,
    unique (key_id, salt)
) strict;

create table data_keys (
    id integer primary key,
    scope_kind text not null,
    scope_id integer not null,
    kek_term integer not null references keks (term),
    envelope blob not null,
    key_id integer not null,
    salt blob not null,
    created integer not null,
    unique (scope_kind, scope_id),
    unique (key_id, salt)
) strict;

create table runs (
    id integer primary key autoincrement,
    tenant_id integer not null references tenants (id),
    integration_id integer not null references integrations (id),
    release_id integer not null references releases (id),
    mode text not null,
    state text not null,
    attempt integer not null check (attempt > 0),
    reason text not null,
    std_out text not null,
    grants text not null,
    user_us integer not null,
    system_us integer not null,
    max_rss_bytes integer not null,
    log_bytes integer not null,
    created integer not null,
    started integer,
    completed integer,
    -- What makes `completed is null` mean `live` in the indexes below.
    check ((completed is null) = (state in ('queued', 'preparing', 'starting', 'running')))
) strict;
-- Never more than one live run of a tenant, whatever the code believes.
create unique index runs_live on runs (tenant_id) where completed is null;
create index runs_tenant on runs (tenant_id, id);
create index runs_integration on runs (integration_id, id);
create index runs_state on runs (state, tenant_id, id);

create table run_events (
    id integer primary key autoincrement,
    run_id integer not null references runs (id),
    tenant_id integer not null references tenants (id),
    attempt integer not null,
    state text not null,
    note text not null,
    time integer not null
) strict;
create index run_events_run on run_events (run_id, id);

create table triggers (
    seq integer primary key autoincrement,
    id text not null unique,
    tenant_id integer not null references tenants (id),
    source text not null,
    mode text not null,
    payload text not null,
    body blob not null,
    headers text not null,
    idempotency_key text, -- null: none given
    run_id integer references runs (id),
    created integer not null
) strict;
create unique index triggers_key on triggers (tenant_id, source, idempotency_key)
    where idempotency_key is not null;
create index triggers_waiting on triggers (tenant_id, seq) where run_id is null;
create index triggers_run on triggers (run_id, seq) where run_id is not null;

-- What waits, summed up per tenant, so that neither accepting a trigger nor
-- picking the next tenant has to count 100,000 rows.
create table waiting (
    tenant_id integer primary key references tenants (id),
    triggers integer not null check (triggers > 0),
    oldest_seq integer not null
) strict;
create index waiting_oldest on waiting (oldest_seq);

create table audit (
    seq integer primary key,
    time integer not null,
    actor text not null,
    action text not null,
    object text not null,
    detail text not null,
    hash blob not null -- of the row before and all of this one
) strict;

-- The end of the chain: without it, rows cut off at the end would not be missed.
create table audit_head (
    only integer primary key check (only = 1),
    seq integer not null,
    hash blob not null
) strict;
