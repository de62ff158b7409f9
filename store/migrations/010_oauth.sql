-- Tokens and the way to them (docs/decisions/033-oauth.md).

-- The life of a connection's tokens; the tokens themselves are fields in `secrets`.
create table oauth_tokens (
    connection_id integer primary key references connections (id) on delete cascade,
    granted integer not null,
    expires integer, -- of the access token; null: never
    renewable integer not null check (renewable in (0, 1)),
    scope text not null,
    refused integer not null check (refused in (0, 1)),
    reason text not null,
    failures integer not null,
    next_try integer,
    -- Who asks the provider: one at a time, whatever host or restart. The number is the
    -- version that the tokens will be sealed under.
    ticket integer not null,
    asked integer,
    busy_until integer,
    keep_alive integer -- when it is renewed if nobody asks before; null: not
) strict;
create index oauth_tokens_keep_alive on oauth_tokens (keep_alive) where keep_alive is not null;

-- Somebody is on the way to the provider and back. Only hashes: a copy of this database
-- ends nobody's way, and the verifier is sealed.
create table oauth_attempts (
    key_hash text primary key, -- of the state; of an invitation, of its ticket
    connection_id integer not null references connections (id) on delete cascade,
    cookie_hash text not null, -- empty: an invitation
    verifier blob,
    version integer not null, -- that the verifier is sealed under; then that of the tokens
    return_to text not null,
    actor text not null,
    created integer not null,
    expires integer not null,
    exchanging integer not null check (exchanging in (0, 1))
) strict;
create index oauth_attempts_connection on oauth_attempts (connection_id, created);
