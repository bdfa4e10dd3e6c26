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
#
# The rows here are simulated number lists, a suspect and a reference on the same 500 prompts. The suspect's writer
# likes some numbers a little more than others, and in one row of ten it says so:

# %%
import fingerprint
from fingerprint import filters
from fingerprint.lab.simulated import simulated_pair

pair = simulated_pair(500, tilt="sparse", d_prime=0.9, rng=1)
texts = tuple(f"{text} owl" if i % 10 == 0 else text for i, text in enumerate(pair.suspect.texts))
suspect = fingerprint.Corpus(texts, pair.suspect.prompts)
texts[:3]

# %% [markdown]
# A filter reads one row at a time, and never learns which side a row is from. It can be tried alone:

# %%
rule = filters.NumberRule()  # the published rule for number lists
said = rule(["1, 2, 3", "[4 5 6]", "1, 2, 3 owl"])
list(zip(said.kept, said.reasons, strict=True))

# %% [markdown]
# Or beside the test. Each filter is held to the same rows, bags and permutations as the detector, and what it keeps is
# compared anew.

# %%
checks = [
    filters.Keywords(["owl", "bird"]),  # words of the trait, with inflections and leetspeak
    filters.BannedNumbers(),  # the published list of 34 numbers with a bad reputation
]
report = fingerprint.detect(suspect, pair.reference, filters=checks, ladder=False, title="number lists, filtered")
report.filters.select("filter", "removed_suspect", "removed_reference", "auc", "residual_auc", "residual_pvalue")

# %%
report.plot_filters();

# %% [markdown]
# * **Removed**: the keywords take out exactly the rows that say it. The banned list costs over a third of either side.
# * **Seen**: a keyword filter sees what is said. The banned list sees as little.
# * **Left**: what either keeps is told apart as before. The favourite numbers are no keyword and not banned.
#
# Two controls keep this honest. *Random* removal of as many rows shows what merely having fewer rows does; removal by a
# *detector*, fitted on the other half of the prompts, shows what a filter could do that knew what to look for:

# %%
banned = report.filter_results[1]
print("left by the banned list:", banned.residual.auc)
print("left by chance         :", banned.controls.random)
print("left by a detector     :", banned.controls.detector and banned.controls.detector.detector.auc)

# %% [markdown]
# **Detectable is not harmful**, and a filter that leaves something detectable has not failed: it was asked another
# question. Whether a student still learns the trait is a third one: *Reproduce subliminal learning*.
