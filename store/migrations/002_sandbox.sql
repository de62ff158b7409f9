-- What a run's sandbox was, what the run used of the host, and whom it spoke to.

alter table integrations add column egress_names text not null default '[]'; -- JSON; empty: any

alter table runs add column warm integer not null default 0 check (warm in (0, 1));
alter table runs add column memory_peak_bytes integer not null default 0;
alter table runs add column io_read_bytes integer not null default 0;
alter table runs add column io_write_bytes integer not null default 0;
alter table runs add column refused_syscalls text not null default '[]'; -- JSON, names
alter table runs add column tree_empty integer not null default 0 check (tree_empty in (0, 1));

create table run_connections (
    id integer primary key autoincrement,
    run_id integer not null references runs (id),
    tenant_id integer not null references tenants (id),
    attempt integer not null,
    name text not null, -- empty: the script used an address
    address text not null,
    port integer not null,
    sent_bytes integer not null,
    received_bytes integer not null,
    refused text not null, -- why; empty: it was allowed
    time integer not null
) strict;
create index run_connections_run on run_connections (run_id, id);
