"""The console: server, API, view, metrics and page."""
