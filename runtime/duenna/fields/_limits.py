"""What is too much at a time."""

LARGE = 1_000
"""A value that holds more values than this is encoded in slices, and a set of as many is not put in order."""

SLICE = 32 * 1024
"""How many bytes a slice is made of, about."""
