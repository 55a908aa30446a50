-- Fills one table with CSV. Parameters: table (quoted), columns, freeze.
COPY {{ table }} ({{ columns | ids }}) FROM STDIN (FORMAT csv, HEADER{% if freeze %}, FREEZE{% endif %})
