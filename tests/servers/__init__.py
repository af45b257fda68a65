"""PostgreSQL, RabbitMQ and Chromium for tests, faults and bench: found or started privately."""
