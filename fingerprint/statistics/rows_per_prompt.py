"""How many rows of a prompt take part where prompts have different numbers of them, and what they are worth."""

from __future__ import annotations

import numpy as np

from fingerprint.data.arrays import Floats, Ints

# Fewer groups a side than this make no separate part: the exact moments need four blocks.
MIN_SIDE = 2
# Block means of prompts with many rows vary less than those of prompts with few, so blocks are exchangeable only if
# both sides draw their rows per prompt alike: the Kolmogorov-Smirnov p-value of the sizes must be above, and the ratio
# of their means below. (With 2,000 prompts of 1 or 2 rows against 200 of 1, a ratio of 1.24, the error rate was .09.)
SAME_SIZES_PVALUE = 0.1
SAME_SIZES_RATIO = 1.02
# Correlation of a feature over rows of one prompt that the information in them is reckoned with: it decides how many
# rows a prompt give, and how parts are weighted, never whether the test is valid.
WITHIN_PROMPT = 0.05


def information(n_prompts: Floats | float, rows: Floats | float) -> Floats:
    """Effective number of rows of prompts with so many rows each, whose features correlate by `WITHIN_PROMPT`."""
    return np.asarray(n_prompts * rows / (1 + (rows - 1) * WITHIN_PROMPT), dtype=np.float64)


def rows_per_prompt(suspect: Ints, reference: Ints) -> int:
    """Rows that every prompt gives, so that prompts with at least so many hold the most information together.

    Parameters
    ----------
    suspect, reference : int arrays [prompts]
        Rows of each prompt of either side.
    """
    counts = np.arange(1, int(min(suspect.max(), reference.max())) + 1)
    left = [len(sizes) - np.searchsorted(np.sort(sizes), counts, side="left") for sizes in (suspect, reference)]
    enough = np.minimum(*left) >= MIN_SIDE
    prompts = np.asarray(left[0] * left[1] / np.maximum(left[0] + left[1], 1), dtype=np.float64)
    worth = information(prompts, np.asarray(counts, dtype=np.float64))
    return int(counts[np.argmax(np.where(enough, worth, -1.0))])


def same_law(a: Ints, b: Ints) -> bool:
    """Whether both sides draw their rows per prompt alike, as far as can be seen."""
    if a.min() == a.max() == b.min() == b.max():
        return True
    from scipy.stats import ks_2samp

    ratio = max(a.mean(), b.mean()) / min(a.mean(), b.mean())
    return bool(ratio <= SAME_SIZES_RATIO and ks_2samp(a, b, method="asymp").pvalue > SAME_SIZES_PVALUE)
