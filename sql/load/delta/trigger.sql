-- Switches one trigger of one table off, or on again as it was. Parameters: table (quoted), trigger, how (DISABLE | ENABLE ALWAYS | ENABLE REPLICA).
ALTER TABLE ONLY {{ table }} {{ how }} TRIGGER {{ trigger | id }}
