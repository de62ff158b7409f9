-- Runs of Berth's own programs (docs/decisions/032-jobs.md). No foreign keys: like the
-- audit, a job's record outlives the connection that it was about.
create table jobs (
    id integer primary key autoincrement,
    connection_id integer not null,
    connector_id integer not null,
    integration_id integer not null,
    tenant_id integer, -- null: of a global connection
    program text not null,
    purpose text not null,
    actor text not null,
    state text not null,
    reason text not null,
    created integer not null,
    completed integer,
    user_us integer not null,
    system_us integer not null,
    log text not null, -- masked
    connections text not null -- JSON: whom it spoke to
) strict;
create index jobs_connection on jobs (connection_id);
create index jobs_tenant on jobs (tenant_id) where tenant_id is not null;
create index jobs_completed on jobs (completed) where completed is not null;
create index jobs_running on jobs (state) where state = 'running';
