"""The small classifier: what the paper says happens, happens."""

import numpy as np
import pytest

from fingerprint.lab.digits import digits, one_step_theorem


@pytest.mark.needs("lm")
def test_a_student_reads_digits_from_noise_only_with_its_teachers_start() -> None:
    """On the mean of three seeds; chance is .1."""
    result = digits(3)
    assert result.teacher.mean() >= 0.9
    assert result.same_start.mean() >= 0.6
    assert result.other_start.mean() < 0.2


@pytest.mark.needs("lm")
def test_one_step_of_imitation_never_moves_against_the_teacher() -> None:
    """Theorem 1: all 200 cosines positive; from other starts they average zero (sd .016, so .03 is far out)."""
    result = one_step_theorem(200)
    assert (result.same_start > 0).sum() == 200
    assert abs(result.other_start.mean()) <= 0.03
    assert np.abs(result.other_start).max() > 0  # no degenerate zero vectors


def test_one_auxiliary_logit_is_refused() -> None:
    with pytest.raises(ValueError, match="n_auxiliary must be at least 2"):
        digits(n_auxiliary=1)
