-- Empty staging for one table of the ledger as the snapshot has it. Parameters: no, table, columns.
CREATE TEMPORARY TABLE kept_{{ no }} ON COMMIT DROP AS SELECT {{ columns | ids }} FROM his_emergency.{{ table | id }} WITH NO DATA;
