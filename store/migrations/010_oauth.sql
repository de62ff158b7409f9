-- Tokens and the way to them (docs/decisions/033-oauth.md).
select 1;
