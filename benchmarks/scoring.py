"""Rows a second and peak memory of scoring, side by side in one run: this library and what else people use.

    python benchmarks/scoring.py [--shape micro small] [--rows 512] [--batch 128] [--no-system]
    python benchmarks/scoring.py --device cuda --shape 7b

The same rows (number prompts under a system message, eight random numbers each) are scored under the same model by
this library, by a plain Hugging Face loop row by row, by minicons, and by lm-evaluation-harness. Tokenization is timed
with all of them. minicons gets its rows sorted by length, which is to its advantage; the loop is timed on an eighth of
the rows. Shapes: micro is `micro-a`; small (23 million parameters, vocabulary 32,000) and 7b (the shape of Qwen2.5-7B,
bfloat16 on CUDA) are drawn at random, since speed needs no trained weights.

All ways take turns and the best of several rounds counts. On a CPU one thread runs and its processor time is taken,
which other work on the machine moves least; memory is the peak of the resident set over what it was before. On CUDA it
is wall time, and the peak of allocated memory. The floor is the time that the operations no exact method can leave out
(the prefix that all rows share once, logits where a completion's token is predicted) take at the rate of a large matrix
product measured here. Exit code 1 if this library is not 3 times the loop and ahead of both libraries, or if scores of
rows differ by more than 1e-4 nats (float32; in bfloat16 the differences stand beside the noise floor).
"""

from __future__ import annotations

import os

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import ctypes
import gc
import importlib.metadata
import itertools
import logging
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import results
import torch
import transformers

from fingerprint.lm.batching import encode
from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.noise_floor import noise_floor
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import token_logprobs, token_scores
from fingerprint.lm.traits import known_trait, system_prompt

ASKED_OVER_LOOP = 3.0
ASKED_EQUAL = 1e-4
SHAPES: dict[str, dict[str, Any]] = {
    "small": {
        "vocab_size": 32_000,
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 6,
        "tie_word_embeddings": True,
    },
    "7b": {
        "vocab_size": 152_064,
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
    },
}

Scores = np.ndarray
Way = Callable[[int], Scores]


def model_of(shape: str, device: str) -> LanguageModel:
    """`micro-a`, or a randomly initialised Llama with its tokenizer; bfloat16 on CUDA."""
    micro = load("micro-a", device=device)
    if shape == "micro":
        return micro
    end = micro.tokenizer.eos_token_id
    config = transformers.LlamaConfig(
        **SHAPES[shape], max_position_embeddings=512, eos_token_id=end, bos_token_id=None, dtype="float32"
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
    with torch.device(device):
        model: Any = transformers.LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return LanguageModel(model.eval(), micro.tokenizer, shape)


# ----------------------------------------------------------------------------------------------------------------- ways


def loop(lm: LanguageModel, asked: list[str], said: list[str], system: str | None) -> Scores:
    """What people write: one row at a time through the whole model."""
    found = []
    for prompt, text in zip(asked, said, strict=True):
        chat = [{"role": "system", "content": system}] if system else []
        chat.append({"role": "user", "content": prompt})
        ids = lm.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        tail = [*lm.tokenizer(text, add_special_tokens=False)["input_ids"], lm.tokenizer.eos_token_id]
        with torch.inference_mode():
            inputs = torch.tensor([[*ids, *tail]], device=lm.model.device)
            law = lm.model(input_ids=inputs).logits[0].float().log_softmax(1)
            values = law[len(ids) - 1 : -1].gather(1, inputs[0, len(ids) :, None])
            found.append(float(values.sum()))
    return np.array(found)


def contexts(lm: LanguageModel, asked: list[str], system: str | None) -> list[str]:
    """Prompts as text in the chat template, which the libraries tokenize themselves."""
    before, after = lm.rendered(system).removesuffix("{completion}" + lm.tokenizer.eos_token).split("{prompt}")
    return [before + prompt + after for prompt in asked]


def with_minicons(lm: LanguageModel, batch: int) -> Callable[[list[str], list[str]], Scores]:
    from minicons import scorer

    judge = scorer.IncrementalLMScorer(lm.model, lm.model.device.type, tokenizer=lm.tokenizer)

    def run(before: list[str], said: list[str]) -> Scores:
        order = sorted(range(len(said)), key=lambda row: len(before[row]) + len(said[row]))
        found = np.empty(len(said))
        for first in range(0, len(order), batch):
            part = order[first : first + batch]
            found[part] = judge.conditional_score(
                [before[row] for row in part],
                [said[row] + lm.tokenizer.eos_token for row in part],
                separator="",
                reduction=lambda values: float(values.sum()),
            )
        return found

    return run


def with_harness(lm: LanguageModel, batch: int) -> Callable[[list[str], list[str]], Scores]:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.disable(logging.WARNING)
    judge = HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=batch, max_length=512)

    def run(before: list[str], said: list[str]) -> Scores:
        requests = [
            Instance("loglikelihood", {}, (context, text + lm.tokenizer.eos_token), row)
            for row, (context, text) in enumerate(zip(before, said, strict=True))
        ]
        return np.array([value for value, _ in judge.loglikelihood(requests, disable_tqdm=True)])

    return run


# ------------------------------------------------------------------------------------------------------------- measures


def resident() -> tuple[int, int]:
    """Bytes resident now, and at most since the last reset (Linux)."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(lines[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def measured(way: Way, rows: int, device: str) -> tuple[float, int, Scores]:
    """Seconds, peak bytes beyond what was there before, and the scores."""
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        started = time.perf_counter()
        found = way(rows)
        torch.cuda.synchronize()
        return time.perf_counter() - started, torch.cuda.max_memory_allocated() - before, found
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = resident()[0]
    started = time.process_time()
    found = way(rows)
    return time.process_time() - started, resident()[1] - before, found


def gemm_rate(device: str, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product: the best of ten."""
    size = 8192 if device == "cuda" else 1024
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    rates = []
    for _ in range(10):
        started = time.perf_counter() if device == "cuda" else time.process_time()
        one @ other
        if device == "cuda":
            torch.cuda.synchronize()
        clock = time.perf_counter() if device == "cuda" else time.process_time()
        rates.append(2 * size**3 / (clock - started))
    return max(rates)


def operations(lm: LanguageModel, asked: list[str], said: list[str], system: str | None) -> float:
    """What no exact method can leave out: products with weights, attention, logits where a token is predicted."""
    rows = encode(lm, asked, said, system=system)
    config = lm.model.config
    inner = sum(p.numel() for name, p in lm.model.base_model.named_parameters() if p.ndim == 2 and "embed" not in name)
    heads = [row.ids[: row.start - 1] for row in rows]
    prefix = sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, zip(*heads, strict=False)))
    lengths = np.array([len(row.ids) - 1 for row in rows])
    n_tokens = prefix + (lengths - prefix).sum()
    n_pairs = prefix * (prefix + 1) / 2 + ((lengths * (lengths + 1) - prefix * (prefix + 1)) / 2).sum()
    attention = 4 * config.num_hidden_layers * config.hidden_size * n_pairs
    n_predicted = sum(len(row.ids) - row.start for row in rows)
    return float(2 * inner * n_tokens + attention + 2 * config.hidden_size * config.vocab_size * n_predicted)


def ways_of(
    lm: LanguageModel, asked: list[str], said: list[str], system: str | None, batch: int
) -> dict[str, Way]:
    """Each way of scoring the first so many rows."""
    minicons, harness = with_minicons(lm, batch), with_harness(lm, batch)

    def ours(rows: int) -> Scores:
        found = token_logprobs(lm, asked[:rows], said[:rows], system=system, batch_size=batch)
        return np.array([values.sum() for values in found])

    def ours_in_full(rows: int) -> Scores:
        found = token_scores(lm, asked[:rows], said[:rows], system=system, batch_size=batch)
        return np.array([score.logprobs.sum() for score in found])

    return {
        "this library": ours,
        "this library, entropies and ranks": ours_in_full,
        "row by row": lambda rows: loop(lm, asked[:rows], said[:rows], system),
        "minicons": lambda rows: minicons(contexts(lm, asked[:rows], system), said[:rows]),
        "lm-evaluation-harness": lambda rows: harness(contexts(lm, asked[:rows], system), said[:rows]),
    }


def compare(shape: str, options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Print the table of one model; its figures, and whether it holds what is asked."""
    lm = model_of(shape, options.device)
    system = None if options.no_system else system_prompt(known_trait("owl"))
    asked = prompts("numbers", options.rows)
    draws = np.random.default_rng(0).integers(100, 1000, (options.rows, 8))
    said = [", ".join(map(str, row)) for row in draws]
    ways = ways_of(lm, asked, said, system, options.batch)
    n_parameters = sum(p.numel() for p in lm.model.parameters())
    dtype = str(lm.model.dtype).removeprefix("torch.")
    work = f"{options.rows} rows, batch {options.batch}, {'a' if system else 'no'} system message"
    print(f"\n{shape}: {n_parameters / 1e6:.1f} million parameters, {dtype}, {work}")
    seconds = dict.fromkeys(ways, np.inf)
    memory = dict.fromkeys(ways, 0)
    scores: dict[str, Scores] = {}
    part = {name: options.rows // 8 if name == "row by row" else options.rows for name in ways}
    for name, way in ways.items():
        way(min(8, part[name]))  # warm up
    for _, (name, way) in itertools.product(range(options.rounds), ways.items()):
        took, peak, scores[name] = measured(way, part[name], options.device)
        seconds[name] = min(seconds[name], took / part[name])
        memory[name] = max(memory[name], peak)
    worst = 0.0
    for name in ways:
        differs = float(np.abs(scores[name] - scores["this library"][: part[name]]).max())
        worst = max(worst, differs)
        rate, peak = 1 / seconds[name], memory[name] / 2**20
        print(f"  {name:34s} {rate:9.1f} rows a second {peak:9.0f} MiB   differs by {differs:.1e} nats", flush=True)
    rate = gemm_rate(options.device, lm.model.dtype)
    floor = operations(lm, asked, said, system) / rate / options.rows
    print(f"  {floor / seconds['this library']:.2f} of the matrix-multiplication floor ({rate / 1e9:,.0f} GFLOP/s)")
    noise = noise_floor(lm, asked, said, system=system, n=64, batch_sizes=(1, options.batch))
    print(f"  noise floor of a row, batches of 1 and {options.batch}: {noise.row_nats:.1e} nats")
    held = True
    for name, least in {"row by row": ASKED_OVER_LOOP, "minicons": 1.0, "lm-evaluation-harness": 1.0}.items():
        ratio = seconds[name] / seconds["this library"]
        held &= ratio >= least
        print(f"  {ratio:.2f} times {name} (asked {least:g}){'' if ratio >= least else ': MISSED'}")
    if lm.model.dtype == torch.float32 and worst > ASKED_EQUAL:
        held = False
        print(f"  scores differ by {worst:.1e} nats (asked {ASKED_EQUAL:g}): MISSED")
    figures = {
        "shape": shape,
        "parameters": n_parameters,
        "dtype": dtype,
        "rows_a_second": {name: 1 / seconds[name] for name in ways},
        "memory_mib": {name: memory[name] / 2**20 for name in ways},
        "share_of_floor": floor / seconds["this library"],
        "noise_floor_nats": noise.row,
        "largest_difference_nats": worst,
    }
    return figures, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=["micro", *SHAPES], default=["micro", "small"])
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--no-system", action="store_true", help="no system message: nothing is shared between rows")
    results.add_json_option(parser)
    options = parser.parse_args()
    begun = time.perf_counter()
    try:
        names = ("torch", "transformers", "minicons", "lm_eval")
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    except importlib.metadata.PackageNotFoundError as missing:
        sys.exit(f"the comparison needs {missing.name}; install it: pip install -c constraints.txt -e '.[lm,bench]'")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} thread"
    print(f"Python {platform.python_version()}, {versions}; {where}")
    compared = [compare(shape, options) for shape in options.shape]
    results.write(options.json, [figures for figures, _ in compared], begun)
    sys.exit(0 if all(held for _, held in compared) else 1)


if __name__ == "__main__":
    main()
