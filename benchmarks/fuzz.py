"""Mutated inputs, by the thousand: does anything but an answer or an error of the package's own ever come of one?

Inputs are read in a child, many in one process; this process watches how long each takes, and goes on behind one that
ended the child. An input is a number (`fuzz_inputs.case`): the same number is the same input, everywhere.

    python benchmarks/fuzz.py read --minutes 30 --keep broken/
    python benchmarks/fuzz.py own --minutes 5
    python benchmarks/fuzz.py detect --minutes 10
    python benchmarks/fuzz.py all --minutes 60 --json benchmarks/results/fuzz.json
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import fuzz_inputs
import results

# What no input may take: seconds of a processor, and memory of the process that reads it.
SECONDS, MEMORY = 20, 2 << 30
KINDS = ("read", "own", "detect")
# Own errors name the file and end with what to do.
_REMEDY = re.compile(r"; \S")
_OF_ROWS = re.compile(r"^(ValueError|TypeError): (suspect|reference|corpora|prompts?|features|rows) must .*; ", re.M)
_STATE = struct.Struct("<Qd")
Outcome = str


def outcome(act: Callable[[], object], name: str) -> tuple[Outcome, str]:
    """What came of reading a file of this name: "ok", "own error", or "other" with what it was."""
    try:
        act()
    except (ValueError, TypeError, OSError) as error:
        message = str(error)
        is_own = type(error).__module__ == "builtins" or type(error).__module__.startswith("fingerprint.")
        if is_own and name in message and _REMEDY.search(message):
            return "own error", message
        return "other", "".join(traceback.format_exception(error)[-4:])
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "other", "".join(traceback.format_exception(error)[-4:])
    return "ok", ""


def read_case(number: int, folder: Path) -> tuple[str, Outcome, str]:
    """A file of rows, by `read` or by `batches`."""
    from fingerprint.data.batches import batches
    from fingerprint.data.reading import read

    ending, content = fuzz_inputs.case(number, fuzz_inputs.READ)
    path = folder / f"rows{ending}"
    path.write_bytes(content)
    bad = "skip" if number % 3 == 0 else "error"
    if number % 2:
        return ending, *outcome(lambda: read(path, bad_rows=bad), str(path))
    return ending, *outcome(lambda: sum(map(len, batches(path, bad_rows=bad))), str(path))


def own_case(number: int, folder: Path) -> tuple[str, Outcome, str]:
    """A detector, fingerprint, panel or report, loaded and shown."""
    from fingerprint import Detector, Fingerprint, Panel, Report

    ending, content = fuzz_inputs.case(number, fuzz_inputs.OWN)
    path = folder / f"a{ending}"
    path.write_bytes(content)
    uses: dict[str, Callable[[], object]] = {
        ".detector": lambda: Detector.load(path).decision_function(["1, 2", "a", ""]),
        ".fp": lambda: Fingerprint.load(path).n_features,
        ".panel": lambda: str(Panel.load(path).members[0].rows),
        ".report": lambda: str(Report.from_json(path)),
    }
    # A report's errors name the place in it.
    return ending, *outcome(uses[ending], "must" if ending == ".report" else str(path))


def detect_case(number: int, folder: Path) -> tuple[str, Outcome, str]:
    """A mutated file of rows against a good one, through `detect`."""
    from fingerprint import detect

    ending, content = fuzz_inputs.case(number, fuzz_inputs.DETECT)
    good, bad = folder / "good.jsonl", folder / f"rows{ending}"
    if not good.exists():
        good.write_bytes(fuzz_inputs.many_rows()[".jsonl"].replace(b"word", b"owl"))
    bad.write_bytes(content)

    def run() -> object:
        return str(detect(bad, good, ladder=False, n_permutations=99, bad_rows="skip", features=["numbers", "layout"]))

    found, told = outcome(run, str(folder))
    if found == "other" and _OF_ROWS.search(told):
        found = "own error"  # of the rows that are there, not of the file
    return ending, found, told


CASES = {"read": read_case, "own": own_case, "detect": detect_case}
ENDINGS = {"read": fuzz_inputs.READ, "own": fuzz_inputs.OWN, "detect": fuzz_inputs.DETECT}


def child(kind: str, first: int, state: Path, most: int) -> None:
    """Work through cases from a number on, and print what came of them, a line for each that is neither."""
    limit_memory()
    warnings.simplefilter("ignore")
    found: Counter[str] = Counter()
    told = time.monotonic()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, state.open("r+b") as file:
        for number in range(first, first + most):
            file.seek(0)
            file.write(_STATE.pack(number, time.process_time()))
            file.flush()
            ending, what, why = CASES[kind](number, Path(folder))
            found[f"{ending} {what}"] += 1
            if what == "other":
                print("other", number, repr(why), flush=True)
            if time.monotonic() - told > 2:
                print("count", dict(found), flush=True)
                found.clear()
                told = time.monotonic()
    print("count", dict(found), flush=True)


def limit_memory() -> None:
    """Let this process take as much memory as an input may."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def watched(kind: str, minutes: float, first: int, keep: Path | None) -> dict[str, object]:
    """Run children until the time is over; figures by ending and outcome."""
    counts: Counter[str] = Counter()
    broken: list[dict[str, object]] = []
    end, number = time.monotonic() + 60 * minutes, first
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        while time.monotonic() < end:
            state.write_bytes(_STATE.pack(number, 0.0))
            got, number, died = _one_child(kind, number, state, end, counts)
            for at, why in (*got, *([died] if died else [])):
                broken.append({"number": at, "what": why[-600:]})
                if keep is not None:
                    ending, content = fuzz_inputs.case(at, ENDINGS[kind])
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{kind}-{at}{ending}").write_bytes(content)
    return {
        "first": first, "cases": number - first, "outcomes": dict(sorted(counts.items())), "other": broken
    }  # fmt: skip


def _one_child(
    kind: str, first: int, state: Path, end: float, counts: Counter[str]
) -> tuple[list[tuple[int, str]], int, tuple[int, str] | None]:
    command = [sys.executable, __file__, kind, "--child", str(first), "--state", str(state)]
    log = state.with_suffix(".log")
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink)
        seen, since, why = first, time.monotonic(), ""
        while process.poll() is None and not why:
            time.sleep(0.5)
            at = _STATE.unpack(state.read_bytes())[0]
            seen, since = (at, time.monotonic()) if at != seen else (seen, since)
            if time.monotonic() - since > 6 * SECONDS:  # by the clock, which runs on while others have the processor
                why = f"took more than {6 * SECONDS} s"
            if time.monotonic() > end:
                break
        process.send_signal(signal.SIGTERM)
        code = process.wait()
    others = []
    for line in log.read_text("utf-8", "replace").splitlines():
        word, _, rest = line.partition(" ")
        if word == "count":
            counts.update(eval(rest, {"__builtins__": {}}))  # what this file's own child printed
        elif word == "other":
            at, _, told = rest.partition(" ")
            others.append((int(at), told))
    last = _STATE.unpack(state.read_bytes())[0]
    if code not in (0, -signal.SIGTERM):
        why = why or f"ended the process ({code}): {log.read_text('utf-8', 'replace')[-300:]}"
    return others, last + 1, (last, why) if why else None


def main() -> None:
    """Read the command line, run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=(*KINDS, "all"))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--keep", type=Path, help="folder for inputs that broke something")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    results.add_json_option(parser)
    options = parser.parse_args()
    if options.child is not None:
        child(options.kind, options.child, options.state, 10**9)
        return
    started = time.perf_counter()
    shares = {"read": 0.7, "own": 0.1, "detect": 0.2} if options.kind == "all" else {options.kind: 1.0}
    figures = {
        kind: watched(kind, options.minutes * share, options.first, options.keep) for kind, share in shares.items()
    }
    for kind, found in figures.items():
        print(f"{kind}: {found['cases']:,} cases", found["outcomes"], f"{len(found['other'])} other", sep="\n  ")  # type: ignore[arg-type]
        for broken in found["other"][:20]:  # type: ignore[index]
            print("  ", broken["number"], broken["what"][-300:])
    results.write(options.json, figures, started)


if __name__ == "__main__":
    main()
