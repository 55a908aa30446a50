-- A row filter in the place where the download has it; only parsed. Parameters: table (quoted), filter.
SELECT FROM {{ table }} WHERE (
{{ filter }}
)
