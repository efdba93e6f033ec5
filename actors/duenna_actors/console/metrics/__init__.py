"""Metrics, probes, systemd's notifications and the heartbeat: what machines want to know of a bot."""
