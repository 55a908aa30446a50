-- Whether any staged units are parts of one document. No parameters.
SELECT EXISTS (SELECT FROM pg_temp.edge WHERE kind = 'document');
