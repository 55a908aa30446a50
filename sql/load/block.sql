-- Gives a sequence its emergency block. Parameters: sequence (quoted), first, last.
ALTER SEQUENCE {{ sequence }} AS bigint MINVALUE {{ first }} MAXVALUE {{ last }} START {{ first }} RESTART {{ first }} NO CYCLE
