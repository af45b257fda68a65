"""What the core shows over HTTP: the API and the pages."""
