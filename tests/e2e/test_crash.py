"""Servers killed under load; crash.py runs more rounds by hand."""

import pytest

from crash import crash

ROUNDS = 4


@pytest.mark.parametrize("policy", ["always", "everysec"])
def test_nothing_that_was_promised_is_lost(kind, tmp_path, policy):
    assert crash(kind, tmp_path / "server", ROUNDS, policy) > ROUNDS


def test_a_loss_would_be_noticed(kind, tmp_path):
    with pytest.raises(AssertionError, match="steps promised"):
        crash(kind, tmp_path / "server", 1, directives=["--appendonly", "no"])
