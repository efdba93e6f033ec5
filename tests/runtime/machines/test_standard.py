"""The classifier that is the same for everybody."""

from __future__ import annotations

from duenna.machines.classification import Category, Facts, Link
from duenna.machines.standard import standard_classifier


def test_it_is_made_once_and_has_the_built_in_rules() -> None:
    """Making it takes long, so everybody has the same."""
    classifier = standard_classifier()

    assert standard_classifier() is classifier
    assert classifier.classify(Facts(links=(Link(type="ConnectionRefusedError"),))).category is Category.NETWORK
