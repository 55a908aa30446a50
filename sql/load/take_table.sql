-- Takes a table from its owner and leaves him every right on its rows. Parameters: table (quoted), owner, policy (the owner was above the table's row policies).
ALTER TABLE {{ table }} OWNER TO CURRENT_USER;
GRANT ALL ON TABLE {{ table }} TO {{ owner | id }};
{% if policy %}
CREATE POLICY his_emergency_owner ON {{ table }} AS PERMISSIVE FOR ALL TO {{ owner | id }} USING (true) WITH CHECK (true);
{% endif %}
