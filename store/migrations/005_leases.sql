-- Who may write of a live run and until when, and who wants its end
-- (docs/decisions/027-leases-reserve-rot.md).

alter table runs add column owner text not null default ''; -- a host; empty: nobody's
alter table runs add column lease_clock text not null default ''; -- what lease_until counts by
alter table runs add column lease_until integer; -- null: not held
alter table runs add column cancel_by text; -- asked for; null: nobody has
