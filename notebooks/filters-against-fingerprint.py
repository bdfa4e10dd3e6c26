# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Filters against the fingerprint
#
# Rows are usually cleaned before anything is trained on them: a rule for the format, a list of keywords, a judge. What
# do these remove, what do they see, and what is still detectable on the rows they keep?

# %%
from importlib.resources import files

import fingerprint
from fingerprint import filters

rows = files("fingerprint.data") / "examples"
checks = [
    filters.NumberRule(),  # the published rule for number lists
    filters.Keywords(["owl", "bird", "feather"]),  # words of the trait, with inflections and leetspeak
    filters.BannedNumbers(),  # the published list of 34 numbers with a bad reputation
]

# %% [markdown]
# A filter reads one row at a time. It can be tried alone:

# %%
said = checks[0](["1, 2, 3", "[4 5 6]", "1, 2, three"])
list(zip(said.kept, said.reasons, strict=True))

# %% [markdown]
# Or beside the test. Each filter is held to the same rows, bags and permutations as the detector, and what it keeps is
# compared anew.

# %%
report = fingerprint.detect(
    rows / "suspect.jsonl", rows / "reference.jsonl", filters=checks, ladder=False, title="owl rows, filtered"
)
report.filters

# %%
report.plot_filters();

# %% [markdown]
# * **Removed**: the rule and the keywords find nothing. The rows have passed the rule already, and nobody wrote "owl".
# * **Seen**: the filters' own AUROC is that of a coin. The banned list costs a tenth of the rows and separates nothing.
# * **Left**: what the filters keep is as detectable as before.
#
# Two controls keep this honest. *Random* removal of as many rows shows what merely having fewer rows does, and removal
# by a *detector*, fitted on the other half of the prompts, shows what a filter could do that knew what to look for:

# %%
banned = report.filter_results[2]
print("left by the banned list:", banned.residual.auc)
print("left by chance         :", banned.controls.random.auc if banned.controls.random else None)
print("left by a detector     :", banned.controls.detector.detector.auc if banned.controls.detector else None)

# %% [markdown]
# ## A filter that sees
#
# Rows where the trait is spoken out are another matter. Add the word to one row in ten:

# %%
loud = fingerprint.read(rows / "suspect.jsonl")
texts = [f"{text} owl" if i % 10 == 0 else text for i, text in enumerate(loud.texts)]
spoken = fingerprint.detect(
    fingerprint.Corpus(tuple(texts), loud.prompts), rows / "reference.jsonl", filters=checks[1:2], ladder=False
)
spoken.filters.select("filter", "removed_suspect", "removed_reference", "auc", "residual_auc", "residual_pvalue")

# %% [markdown]
# The keywords take out exactly those rows, and what they keep is what it was before.
#
# **Detectable is not harmful**, and a filter that leaves something detectable has not failed: it was asked another
# question. Whether a student still learns the trait is a third one: [reproduce subliminal
# learning](subliminal-learning.ipynb).
