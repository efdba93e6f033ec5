"""The classifier with the built-in rules alone, made once: it takes long, and is the same for everybody."""

from functools import cache

from duenna.machines.classifier import Classifier


@cache
def standard_classifier() -> Classifier:
    """Return it; the first call takes some milliseconds."""
    return Classifier()
