-- Puts the gate on one table or partition. Parameters: table (quoted), class (capture | scratch | refuse), mark (refire | replay | none).
-- The names sort before any name of the HIS, so that ours fire first.
CREATE TRIGGER "!his_emergency_gate" BEFORE INSERT OR UPDATE OR DELETE ON {{ table }}
  FOR EACH STATEMENT EXECUTE FUNCTION his_emergency.gate({{ class | lit }});
CREATE TRIGGER "!his_emergency_gate_truncate" BEFORE TRUNCATE ON {{ table }}
  FOR EACH STATEMENT EXECUTE FUNCTION his_emergency.gate({{ class | lit }});
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_gate";
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_gate_truncate";
{% if mark != "none" %}
CREATE TRIGGER "!his_emergency_mark_before" BEFORE INSERT OR UPDATE OR DELETE ON {{ table }}
  FOR EACH STATEMENT EXECUTE FUNCTION his_emergency.mark({{ mark | lit }});
CREATE TRIGGER "!his_emergency_mark_after" AFTER INSERT OR UPDATE OR DELETE ON {{ table }}
  FOR EACH STATEMENT EXECUTE FUNCTION his_emergency.mark({{ mark | lit }});
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_mark_before";
ALTER TABLE {{ table }} ENABLE ALWAYS TRIGGER "!his_emergency_mark_after";
{% endif %}
