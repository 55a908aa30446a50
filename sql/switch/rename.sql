-- Gives a database another name. Parameters: from, to.
ALTER DATABASE {{ from | id }} RENAME TO {{ to | id }};
