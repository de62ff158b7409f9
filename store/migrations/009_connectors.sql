-- Connector kinds, provisioning and auth links (docs/decisions/031-connector-kinds.md).
select 1;
