-- Makes a table survive a crash. Parameters: table (quoted).
ALTER TABLE {{ table }} SET LOGGED
