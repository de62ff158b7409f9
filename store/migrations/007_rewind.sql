-- What stands ahead of a clock that went back, and what is in trouble: found at every
-- start, without a look at all schedules.
create index schedules_settled on schedules (settled) where enabled = 1;
create index schedules_trouble on schedules (fire) where trouble <> '';
