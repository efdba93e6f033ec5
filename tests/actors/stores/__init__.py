"""Tests of the stores that keep the state in a database."""
