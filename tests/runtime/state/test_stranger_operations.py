"""What somebody finds who uses operations for the first time, and does not always use them well."""

from __future__ import annotations

import pytest

from duenna.state._plain import copied


def test_a_number_of_thousands_of_digits_is_refused_by_name() -> None:
    """Python does not write such a number, and its own error names neither the operation nor the argument."""
    message = r"^operation backfill: argument limit must fit into 64 bits, got one of 16610 bits$"

    with pytest.raises(ValueError, match=message):
        copied("operation backfill", "argument", {"limit": 10**5000})
