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
# # Audit a folder of shards
#
# Rows come in shards, are too many for memory, lie on several machines, and some files are damaged. A *fingerprint* is
# a corpus as sums: it merges, it goes on after a kill, and it is tested exactly, without any row.

# %%
import gzip
import json
import os
from pathlib import Path
from tempfile import mkdtemp

import fingerprint
from fingerprint.lab.simulated import simulated_pair

os.chdir(mkdtemp())
folder = Path("shards")
folder.mkdir()
pair = simulated_pair(6000, tilt="sparse", d_prime=0.5, rng=1)  # number rows; what differs is a few numbers


def shard(corpus, name, first, last):
    lines = [
        json.dumps({"prompt": corpus.prompts[i], "completion": corpus.texts[i]}) + "\n" for i in range(first, last)
    ]
    (folder / name).write_text("".join(lines))


for number in range(6):
    shard(pair.suspect, f"suspect-{number}.jsonl", 1000 * number, 1000 * (number + 1))
    shard(pair.reference, f"reference-{number}.jsonl", 1000 * number, 1000 * (number + 1))
whole = gzip.compress((folder / "suspect-5.jsonl").read_bytes())
(folder / "suspect-6.jsonl.gz").write_bytes(whole[: len(whole) // 2])  # a copy that broke off
sorted(path.name for path in folder.iterdir())

# %% [markdown]
# ## In one call
#
# `detect` takes a glob. A damaged shard is an error that names it; asked to, it is left out, and the report says so.

# %%
try:
    fingerprint.detect(folder / "suspect-*", folder / "reference-*.jsonl")
except ValueError as error:
    print(error)

# %%
report = fingerprint.detect(
    folder / "suspect-*", folder / "reference-*.jsonl", bad_shards="skip", ladder=False, title="the folder"
)
print(report)

# %%
for warning in report.warnings:
    print(warning.code, "-", warning.message)

# %%
report.plot_features();

# %% [markdown]
# ## As fingerprints
#
# Every machine sums its own shards; whoever has the files adds them up. In any order, the sum is that of the whole,
# byte for byte.

# %%
parts = [fingerprint.Fingerprint.of(folder / f"suspect-{number}.jsonl") for number in range(6)]
suspect = sum(parts[1:], start=parts[0])
reference = fingerprint.Fingerprint.of(folder / "reference-*.jsonl")
suspect.save(folder / "suspect.fp")
print(f"{(folder / 'suspect.fp').stat().st_size / 1e6:.1f} MB for {suspect.n_rows:,} rows, without any of them")

# %%
found = fingerprint.compare(fingerprint.Fingerprint.load(folder / "suspect.fp"), reference)
print(found)

# %% [markdown]
# The same test, from sums: no row was needed. What has to look at rows (the ladder, filters, scores of single rows)
# stays with `detect`.
#
# On a cluster: `engine="ray"`; on Slurm, a loop over shards. A fingerprint as it is made here is as confidential as its
# rows; `for_sharing()` makes one that can be given away. See *Corpora of any size* and *Sharing a fingerprint* in the
# how-to pages.
