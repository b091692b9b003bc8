"""Asserts that many test files share."""

import pytest


def says(error, *patterns):
    """Expect an error whose message matches all of the patterns, in any order."""
    return pytest.raises(error, match="(?s)" + "".join(f"(?=.*{p})" for p in patterns))
