"""The API under generated requests: `.ci/fuzz-api` runs it, with an environment of its own for the generator."""
