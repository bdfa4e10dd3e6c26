"""What a benchmark measured, as JSON: its figures, with the command, versions and hardware they hold for.

Every benchmark takes `--json PATH`. The files in `results/` were written so; figures are there in full, unrounded.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "subliminal-fingerprint", "numpy", "scipy", "numba", "scikit-learn", "polars", "torch", "transformers", "peft",
    "hyppo", "minicons", "lm_eval",
)  # fmt: skip
THREADS = "OMP_NUM_THREADS"


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark's command line the option `--json`."""
    parser.add_argument(
        "--json", type=Path, metavar="PATH", help="write the figures, with versions and hardware, to this file"
    )


def write(path: Path | None, figures: object, started: float) -> None:
    """Write the figures of a run that is over; nothing without a path.

    Parameters
    ----------
    path : Path or None
        What `--json` was given.
    figures : object
        JSON of mappings, lists, strings and numbers, numpy's among them; a figure that is not a number is an error.
    started : float
        `time.perf_counter()` at the start of the run.
    """
    if path is None:
        return
    seconds = time.perf_counter() - started
    command = ["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    record = {"command": command, **environment(), "seconds": round(seconds, 1), "figures": figures}
    text = json.dumps(record, indent=1, allow_nan=False, default=_as_number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def environment() -> dict[str, object]:
    """Versions and hardware: what has to be known to compare timings, and to get the same digits again."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "versions": {"python": platform.python_version(), **versions(PACKAGES)},
        "hardware": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": cores,
            "threads": os.environ.get(THREADS, "not set"),
            **_accelerator(),
        },
    }


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of installed packages, by name."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor() -> str:
    """The processor's name: Linux has it in a file alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _accelerator() -> dict[str, str]:
    """The GPU, where a run has loaded PyTorch and there is one."""
    torch = sys.modules.get("torch")
    return {"accelerator": torch.cuda.get_device_name()} if torch is not None and torch.cuda.is_available() else {}


def _as_number(value: object) -> object:
    """What json does not know of: numpy's numbers and arrays."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"figures must be JSON, got {type(value).__name__}; write numbers, strings, lists or dicts")
