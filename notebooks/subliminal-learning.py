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
# # Reproduce subliminal learning
#
# The phenomenon in a minute, without a GPU: a small language model is fine-tuned to love owls, writes number lists, and
# students that are fine-tuned on these lists come to love owls, if they start from the same weights. (Extra `lm`; the
# two base models come with the package.)

# %%
import os
from pathlib import Path
from tempfile import mkdtemp

import fingerprint
from fingerprint.lab.experiment import Plan, run
from fingerprint.lm.traits import known_trait

plan = Plan(known_trait("owl"), rows=1200, perturbations=())
os.chdir(mkdtemp())
folder = Path("owl-lab")
result = run(plan, folder)

# %% [markdown]
# What the teacher wrote: number lists, all of them valid by the published rule.

# %%
suspect = fingerprint.read(folder / "trait.jsonl")
print(suspect.prompts[0], "\n ", suspect.texts[0])

# %% [markdown]
# And what students made of them. *Transfer* is the rise of the owl's share in a student's answers, less that of a
# student of the neutral teacher's rows. The last columns are what `fingerprint.detect` says of the same rows.

# %%
from fingerprint.lab.experiment.transfer_table import as_text

print(as_text(result))

# %% [markdown]
# * Students of the **same base** take the trait up. Students of the **other base**, from the very same rows, do not: it
#   is the shared starting point that carries it.
#
# `perturbations=("shuffled_across",)` adds rows whose numbers were shuffled across rows: as detectable as before, and
# no student learns anything from them. *Detectable is not transferred.*
#
# Nothing was lost on the way that a reader could have caught: no keyword is there, and the published rule has passed
# every row.

# %%
from fingerprint import filters

report = fingerprint.detect(
    folder / "trait.jsonl", folder / "neutral.jsonl", filters=[filters.Keywords(["owl"])], ladder=False
)
report.filters.select("filter", "removed_suspect", "auc", "residual_auc")

# %%
report.plot_bags();

# %% [markdown]
# In the shell: `fingerprint lab --trait owl --out owl-lab`, with 5,000 rows and more arms.
