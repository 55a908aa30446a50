-- A session that writes slips: it waits for a window's row, but not for ever. No parameters.
SET lock_timeout = '5s';
SET statement_timeout = '60s';
SET standard_conforming_strings = on
