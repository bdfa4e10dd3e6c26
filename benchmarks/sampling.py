"""Rows a second: this library's sampling, `model.generate` row by row, and batched `model.generate`, in one run.

    python benchmarks/sampling.py [--model micro-a] [--rows 2000] [--batch 256]

All three sample at temperature 1 from the whole vocabulary, with a key-value cache, for the same prompts, up to the
same number of new tokens. The row-by-row loop is timed on a tenth of the rows.
"""

from __future__ import annotations

import argparse
import platform
import time

import results
import torch
import transformers

from fingerprint.lm.loading import load
from fingerprint.lm.model import LanguageModel
from fingerprint.lm.prompts import prompts
from fingerprint.lm.sampling import sample

MAX_NEW = 48


def generated(lm: LanguageModel, asked: list[str], batch: int) -> list[str]:
    """What people write: tokenize with padding on the left, generate, decode."""
    texts = []
    for start in range(0, len(asked), batch):
        chats = [[{"role": "user", "content": prompt}] for prompt in asked[start : start + batch]]
        inputs = lm.tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        out = lm.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            do_sample=True,
            temperature=1.0,
            top_k=0,
            max_new_tokens=MAX_NEW,
        )
        texts += lm.tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="micro-a")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=256)
    results.add_json_option(parser)
    options = parser.parse_args()
    begun = time.perf_counter()
    lm = load(options.model)
    asked = prompts("numbers", options.rows)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    print(f"{versions}, {torch.get_num_threads()} threads; {options.model}, {options.rows} rows, batch {options.batch}")
    ways = {
        "this library": (asked, lambda part: sample(lm, part, max_new_tokens=MAX_NEW, batch_size=options.batch)),
        "generate, batched": (asked, lambda part: generated(lm, part, options.batch)),
        "generate, row by row": (asked[: options.rows // 10], lambda part: generated(lm, part, 1)),
    }
    rates = {}
    for name, (part, way) in ways.items():
        way(part[: 2 * options.batch if "row" not in name else 5])  # warm up
        started = time.perf_counter()
        way(part)
        rates[name] = len(part) / (time.perf_counter() - started)
        print(f"  {name:22s} {rates[name]:8.0f} rows a second", flush=True)
    ours = rates["this library"]
    print(f"  {ours / rates['generate, batched']:.2f} times batched generate (asked 1.5)")
    print(f"  {ours / rates['generate, row by row']:.1f} times row by row (asked 5)")
    results.write(options.json, {"rows_a_second": rates}, begun)


if __name__ == "__main__":
    main()
