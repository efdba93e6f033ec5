"""Programs that the tests of stores run."""
