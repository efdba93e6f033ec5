"""Unit tests of the pure decisions: each module of ``duenna.machines`` on its own."""
