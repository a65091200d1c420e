"""Several machines, told by processes: the daemon, Redis, PostgreSQL, an S3 emulator and Celery workers."""
