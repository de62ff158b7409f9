-- Connector kinds, provisioning and auth links (docs/decisions/031-connector-kinds.md).

-- Until now a connector's kind was a word that nothing looked at.
update connectors set kind = 'custom';

-- A provisioning (client id and secret of an integration's app at a provider) is kept as
-- a connection is, so that what rotates keys and looks for rows put back has one table to
-- look at. Its status is none of a connection's: who mixes them up is told at once.
alter table connections add column part text not null default 'connection'
    check (part in ('connection', 'provisioning'));
drop index connections_global;
create unique index connections_global on connections (integration_id, connector_id, part)
    where tenant_id is null;

-- Fields that are no secret: an account's name, a host.
create table connection_fields (
    connection_id integer not null references connections (id) on delete cascade,
    field text not null,
    value text not null,
    primary key (connection_id, field)
) strict;

create table connection_events (
    id integer primary key autoincrement,
    connection_id integer not null references connections (id) on delete cascade,
    status text not null,
    reason text not null,
    actor text not null,
    time integer not null
) strict;
create index connection_events_connection on connection_events (connection_id, id);

-- The address under which a customer without an account connects a tenant. Only a hash of
-- its token: a copy of this database opens no page.
create table auth_links (
    tenant_id integer primary key references tenants (id) on delete cascade,
    serial text not null, -- what the token is derived from, with a key that is not in here
    token_hash text not null unique,
    created integer not null
) strict;
