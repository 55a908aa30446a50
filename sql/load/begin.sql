-- Begins the one transaction in which an empty database becomes the closed one. No parameters.
BEGIN
