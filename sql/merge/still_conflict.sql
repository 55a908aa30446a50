-- Whether the plan that was just carried out still found the conflict, and how it says so. $1 unit, $2 kind, $3 rule.
SELECT coalesce(nullif(c.reason, ''), c.kind) FROM pg_temp.conflict c JOIN pg_temp.unit x USING (u)
WHERE x.name = $1 AND c.take IS NULL AND c.kind = $2 AND (c.rule = $3 OR c.rule = 'tried') LIMIT 1;
