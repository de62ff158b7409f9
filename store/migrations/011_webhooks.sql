-- Where providers deliver to, and what came of it (docs/decisions/034-webhooks.md).

-- An address of a tenant's connector: `/hooks/{token}`. The newest has no end; one that was
-- replaced serves until its end. The token can be shown again, so it is kept; it is looked
-- up by its hash.
create table webhook_endpoints (
    id integer primary key autoincrement,
    tenant_id integer not null references tenants (id) on delete cascade,
    connector_id integer not null references connectors (id),
    token text not null,
    token_hash text not null unique,
    created integer not null,
    ends integer
) strict;
create index webhook_endpoints_owner on webhook_endpoints (tenant_id, connector_id);
create unique index webhook_endpoints_newest on webhook_endpoints (tenant_id, connector_id)
    where ends is null;

-- The last deliveries of a tenant's connector: a ring that is written over from its start.
create table webhook_rings (
    tenant_id integer not null references tenants (id) on delete cascade,
    connector_id integer not null references connectors (id),
    written integer not null, -- since the first
    primary key (tenant_id, connector_id)
) strict;

create table webhook_deliveries (
    tenant_id integer not null references tenants (id) on delete cascade,
    connector_id integer not null references connectors (id),
    slot integer not null, -- of the ring
    number integer not null,
    time integer not null,
    outcome text not null,
    reason text not null,
    delivery_id text not null,
    event text not null,
    client text not null,
    bytes integer not null,
    trigger_id text,
    primary key (tenant_id, connector_id, slot)
) strict;
