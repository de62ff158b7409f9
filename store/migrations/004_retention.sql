-- What is looked for when old rows go, and when a run's bundle is chosen
-- (docs/decisions/021-durability.md).

-- Ended runs by age.
create index runs_ended on runs (completed) where completed is not null;
-- Keys that are still kept, by age.
create index triggers_keys_age on triggers (created) where idempotency_key is not null;
-- The oldest of each kind that a bundle is made from: without them a kind of which
-- there is none costs a walk over all that wait.
create index triggers_waiting_crons on triggers (tenant_id, seq)
    where run_id is null and source = 'cron';
create index triggers_waiting_inits on triggers (tenant_id, seq)
    where run_id is null and source <> 'cron' and mode = 'init';
create index triggers_waiting_rest on triggers (tenant_id, seq)
    where run_id is null and source <> 'cron' and mode <> 'init';
