-- Moves the numbers kept in one column out of the primary's way. Parameters: table (quoted), column, jump or start (the other none).
UPDATE {{ table }} SET {{ column | id }} = {% if jump is none %}{{ start }}{% else %}{{ column | id }} + {{ jump }}{% endif %} WHERE {{ column | id }} IS NOT NULL
