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
# # Is it this trait?
#
# A detection says that rows differ from the reference. Any system prompt would make them differ. Two questions are
# left: is it *more than some conditioning*, and *which* trait is it? (Extra `lm`.)

# %%
import fingerprint
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import neutral, placebo, prompted
from fingerprint.lm.traits import known_trait

asked = prompts("numbers", 400)


def written_by(teacher):
    answers = teacher.sample(asked)
    return [{"prompt": p, "completion": a.text} for p, a in zip(asked, answers, strict=True)]


suspect = written_by(prompted("micro-a", known_trait("owl")))  # who wrote it: we know, the library is not told
reference = written_by(neutral("micro-a"))
other = written_by(placebo("micro-a", known_trait("owl")))
suspect[0]

# %% [markdown]
# ## More than some conditioning?
#
# A *placebo* is a teacher of the same base with a system prompt as long, about something else. The suspect has to
# differ from every one of them.

# %%
report = fingerprint.detect(suspect, reference, placebos=[other], ladder=False)
print(report.attribution.claim)

# %%
report.placebos.select("placebo", "rows", "pvalue", "auc", "reference_pvalue")

# %% [markdown]
# Four hundred rows are too few for what stands in the texts alone; read the power before you conclude anything:

# %%
print(report)

# %% [markdown]
# ## Which trait?
#
# With the base model at hand one can ask more. `identify` builds candidates from the base model and asks under which of
# them the rows are likely. A name needs an exact p-value, most of the posterior, a lead over placebos, and rows that
# fit.

# %%
found = fingerprint.identify(
    suspect, ["owl", "cat", "dog"], reference=reference, model="micro-a", forms=["prompted"]
)
print(found)

# %% [markdown]
# And rows that none of the candidates wrote get no name:

# %%
print(fingerprint.identify(written_by(neutral("micro-a")), ["owl", "cat"], model="micro-a", forms=["prompted"]))

# %% [markdown]
# It names a writer, not an idea: a trait that was prompted in other words is another writer, and is answered with
# nobody.
