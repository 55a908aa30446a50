-- One query of the profile, each row as one JSON object of texts. Parameter: query.
SELECT (SELECT json_object_agg(f.key, f.value ORDER BY f.n) FROM json_each_text(row_to_json(r)) WITH ORDINALITY f (key, value, n))::text FROM (
{{ query }}
) r
