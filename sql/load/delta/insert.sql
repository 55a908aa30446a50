-- Puts staged rows into their table. Parameters: table (quoted), from (quoted), columns.
INSERT INTO {{ table }} ({{ columns | ids }}) OVERRIDING SYSTEM VALUE SELECT {{ columns | ids }} FROM {{ from }}
