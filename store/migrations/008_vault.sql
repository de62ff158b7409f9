-- What rotation and the detection of rows put back need (docs/decisions/030-rotation.md).

-- While the data key of a scope is being replaced, it has two: what is sealed anew goes under
-- the one that is not retired.
create table data_keys_now (
    id integer primary key,
    scope_kind text not null,
    scope_id integer not null,
    retired integer not null check (retired in (0, 1)),
    kek_term integer not null references keks (term),
    envelope blob not null,
    key_id integer not null,
    salt blob not null,
    created integer not null,
    unique (key_id, salt)
) strict;
insert into data_keys_now
    select id, scope_kind, scope_id, 0, kek_term, envelope, key_id, salt, created from data_keys;
drop table data_keys;
alter table data_keys_now rename to data_keys;
create unique index data_keys_scope on data_keys (scope_kind, scope_id) where retired = 0;
create index data_keys_term on data_keys (kek_term, id);
create index data_keys_retired on data_keys (id) where retired = 1;

-- The list of a scope's secrets, by its MAC: whoever puts an old row of `secrets` back can
-- make no MAC, and an old row of this table has an old counter.
create table manifests (
    scope_kind text not null,
    scope_id integer not null,
    key_id integer not null, -- the data key that its key comes from
    counter integer not null check (counter > 0),
    mac blob not null,
    primary key (scope_kind, scope_id)
) strict;

create table rotations (
    id integer primary key autoincrement,
    what text not null,
    scope_kind text, -- null: all scopes
    scope_id integer,
    target integer not null, -- keys below it, or up to it, are old
    total integer not null,
    actor text not null,
    created integer not null,
    finished integer
) strict;

-- A tenant that was deleted for ever keeps its row for the runs that were made for it.
alter table tenants add column deleted integer;
