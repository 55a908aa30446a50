-- Settings of every session while a generation is filled; a crash in the middle only leaves a database that is swept. Parameters: database, memory_mb.
ALTER DATABASE {{ database | id }} SET synchronous_commit = off;
ALTER DATABASE {{ database | id }} SET maintenance_work_mem = '{{ memory_mb }}MB';
ALTER DATABASE {{ database | id }} SET lock_timeout = 0;
