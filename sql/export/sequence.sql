-- How far a sequence has come; NULL when it has handed nothing out. Parameter: sequence (quoted).
SELECT CASE WHEN is_called THEN last_value END FROM {{ sequence }};
