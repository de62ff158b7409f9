-- Endpoints that providers deliver to (docs/decisions/034-webhooks.md).
select 1;
