"""Autopay over HTTP: the JSON API and the pages behind signed links."""
