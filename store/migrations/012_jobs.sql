-- Runs of Berth's own programs (docs/decisions/032-jobs.md).
select 1;
