-- Keeps DDL off one table while it is downloaded; no window feels this mode. Parameter: table (quoted).
LOCK TABLE {{ table }} IN ACCESS SHARE MODE;
