"""All services in one process, on SQLite and the memory bus."""
