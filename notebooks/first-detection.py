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
# # A first detection
#
# Two files of rows, one question: were they written alike? The rows come with the package: number lists by a small
# language model that was fine-tuned to love owls (the *suspect*), and by the same model as it was (the *reference*).
# Nothing in them says "owl".

# %%
from importlib.resources import files

import fingerprint

rows = files("fingerprint.data") / "examples"
suspect = fingerprint.read(rows / "suspect.jsonl")
reference = fingerprint.read(rows / "reference.jsonl")
for side in (suspect, reference):
    print(len(side), "rows. First prompt:", side.prompts[0], "\n  answer:", side.texts[0])

# %% [markdown]
# Both sides answered the same 1,000 prompts: the strongest design there is. Whatever a prompt does to an answer, it
# does on both sides.

# %%
report = fingerprint.detect(suspect, reference, title="owl rows against neutral ones")
print(report)

# %% [markdown]
# The last sentence is the verdict, with its *rival explanations*: this is what you have to rule out by how the
# reference was made, since no figure can. The p-value is exact: of honest comparisons at most 5 % fall below .05.
#
# ## How strong is it?
#
# A single row says next to nothing: a row AUROC of .59 means that a suspect row scores above a reference row in 59 of
# 100 pairs. Evidence adds up over rows: bags of 16 are told apart in 82.

# %%
report.plot_bags();

# %%
report.plot_null();

# %% [markdown]
# The grey heap is the test itself: 9,999 times the two sides of each prompt were swapped at random. The observed
# statistic lies beyond nearly all of them.
#
# ## Where does it live?
#
# The *ladder* repeats the test with information taken out step by step.

# %%
report.plot_ladder();

# %%
report.ladder.select("rung", "pvalue", "auc", "description")

# %% [markdown]
# Most of this signal is in the format: how long the lists are. Some is left when every list is written in one format
# (*canonical*), and the *floor*, where nothing is left that could differ, does not reject, as it must not.
#
# ## Would we have found it with fewer rows?
#
# Before you believe a "not detected", read the power. Here are the first 100 prompts of the same rows:

# %%
few = fingerprint.detect(
    fingerprint.Corpus(suspect.texts[:100], suspect.prompts[:100]),
    fingerprint.Corpus(reference.texts[:100], reference.prompts[:100]),
    ladder=False,
)
print(few)

# %% [markdown]
# *Not detected is not clean*: the power line says how often rows as different as these would have been found.
#
# ## Keep it
#
# `report.to_html("report.html")` writes a page with all of this, `report.to_json("report.json")` every figure. In the
# shell: `fingerprint detect suspect.jsonl reference.jsonl --html report.html`.
#
# Next: *Filters against the fingerprint*.
