-- What rotation and the detection of rows put back need (docs/decisions/030-rotation.md).
select 1;
