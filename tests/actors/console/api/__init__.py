"""Tests of the console's REST interface."""
