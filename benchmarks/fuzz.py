"""Mutated inputs, by the million: does anything but an answer or an error of the package's own ever come of one?

Inputs are read in a child, many in one process; this process watches how long each takes, and goes on behind one that
ended the child. An input is a number (`fuzz_inputs.case`): the same number is the same input, everywhere. Runs with
other numbers add up, whenever and wherever they were made.

    python benchmarks/fuzz.py read --minutes 30 --json one.json --keep broken/
    python benchmarks/fuzz.py read --first 4000000 --cases 6000000 --minutes 60 --json two.json
    python benchmarks/fuzz.py own --minutes 5 --json own.json
    python benchmarks/fuzz.py detect --cases 10000 --minutes 20 --json detect.json
    python benchmarks/fuzz.py add one.json two.json own.json detect.json --json benchmarks/results/fuzz.json
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import mmap
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import fuzz_inputs
import results

from fingerprint.data import formats
from fingerprint.data.batches import batches
from fingerprint.data.columns import Columns
from fingerprint.data.compression import Held, opened, opened_bytes
from fingerprint.data.corpus import Corpus
from fingerprint.data.reading import read
from fingerprint.data.row_reader import RowReader

# What no input may take: seconds of a processor, and memory of the process that reads it.
SECONDS, MEMORY = 20, 2 << 30
KINDS = ("read", "own", "detect")
WRITTEN_EVERY = 120.0  # seconds until the figures so far are written again
# Own errors name the file and end with what to do.
_REMEDY = re.compile(r"; \S")
_OF_ROWS = re.compile(r"^(ValueError|TypeError): (suspect|reference|corpora|prompts?|features|rows) must .*; ", re.M)
_STATE = struct.Struct("<Qd")
Outcome = str
Figures = dict[str, Any]


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


# Endings whose content is all that matters: most cases of theirs are decoded without a file, which takes most of the
# time. The name has a folder that is not there.
_PLAIN = {".jsonl", ".json", ".csv", ".tsv", ".psv", ".txt", ""}
_IN_MEMORY = "in memory/rows"
#: How a case is read, by its number; whether bad rows are skipped changes every ten cases.
WAYS = ("read", "batches", *["stream"] * 8)


def read_case(number: int, folder: Path) -> tuple[str, Outcome, str]:
    """A file of rows, by `read`, by `batches`, or by what these do once a file is open."""
    ending, content = fuzz_inputs.case(number, fuzz_inputs.READ)
    bad = "skip" if number // len(WAYS) % 2 else "error"
    way = WAYS[number % len(WAYS)]
    if way == "stream" and ending in _PLAIN:
        name = _IN_MEMORY + ending
        return ending, *outcome(lambda: rows_of_stream(name, content, bad), name)
    path = f"{folder}/rows{ending}"
    write(path, content)
    if way == "batches":
        return ending, *outcome(lambda: sum(map(len, batches(path, bad_rows=bad))), path)  # type: ignore[arg-type]
    return ending, *outcome(lambda: read(path, bad_rows=bad), path)  # type: ignore[arg-type]


def rows_of_stream(name: str, content: bytes, bad: str) -> object:
    """The corpus of a file that is this content, without the file."""
    def of_content(_: str, held: Held = "columns") -> AbstractContextManager[io.BufferedReader]:
        return opened_bytes(io.BufferedReader(io.BytesIO(content)), name, held)  # type: ignore[arg-type]

    formats.opened = of_content
    try:
        reader, source = RowReader(Columns(), bad), formats.file_source(name, Columns())  # type: ignore[arg-type]
        kept = [found for place, row in source.rows if (found := reader.read(source, place, row)) is not None]
    finally:
        formats.opened = opened
    if not kept:
        raise ValueError(reader.no_good_row(name))
    return Corpus(tuple(row.text for row in kept), tuple(row.prompt for row in kept), tuple(row.system for row in kept))


_files: dict[str, int] = {}


def write(path: str, content: bytes) -> None:
    """Write a file, and keep it open for the next content, until `close_files`: that takes a third of the time."""
    if path not in _files or not os.path.exists(path):
        if path in _files:
            os.close(_files.pop(path))
        _files[path] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.ftruncate(_files[path], 0)
    os.pwrite(_files[path], content, 0)


def close_files() -> None:
    """Close all that `write` has opened; their folders may be gone by then."""
    while _files:
        os.close(_files.popitem()[1])


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
    """A mutated file of rows against a good one, through `detect`: of one family mostly, of two now and then."""
    from fingerprint import detect

    ending, content = fuzz_inputs.case(number, fuzz_inputs.DETECT)
    good, bad = folder / "good.jsonl", folder / f"rows{ending}"
    if not good.exists():
        good.write_bytes(fuzz_inputs.many_rows()[".jsonl"].replace(b"word", b"owl"))
    bad.write_bytes(content)
    features = ["layout"] if number % 8 else ["numbers", "layout"]

    def run() -> object:
        return str(detect(bad, good, ladder=False, n_permutations=99, bad_rows="skip", features=features))

    found, told = outcome(run, str(folder))
    if found == "other" and _OF_ROWS.search(told):
        found = "own error"  # of the rows that are there, not of the file
    return ending, found, told


CASES = {"read": read_case, "own": own_case, "detect": detect_case}
ENDINGS = {"read": fuzz_inputs.READ, "own": fuzz_inputs.OWN, "detect": fuzz_inputs.DETECT}


# ------------------------------------------------------------------------------------------------------------ children


def child(kind: str, first: int, most: int, seconds: float, state: Path) -> None:
    """Work through cases from a number on; say what came of them, and of each that is neither answer nor own error."""
    limit_memory()
    warnings.simplefilter("ignore")
    act, found = CASES[kind], Counter[tuple[str, str]]()
    end = time.monotonic() + seconds
    told, memory = time.monotonic(), "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as name, state.open("r+b") as file, mmap.mmap(file.fileno(), 0) as at:
        folder, before, number = Path(name), time.process_time(), first
        for number in range(first, first + most):
            _STATE.pack_into(at, 0, number, before)
            ending, what, why = act(number, folder)
            now = time.process_time()
            if now - before > SECONDS:
                what, why = "other", f"took {now - before:.0f} s of a processor; {why}"
            before = now
            found[ending, what] += 1
            if what == "other":
                say({"number": number, "what": why})
            if number == first:
                gc.collect()
                gc.freeze()  # what is imported now stays, and need not be looked at again
            if number % 16 == 0 and time.monotonic() > min(told + 2, end):
                tell(found)
                told = time.monotonic()
                if told > end:
                    break
        _STATE.pack_into(at, 0, number, before)
    close_files()
    tell(found)


def say(what: Figures) -> None:
    """A line for the process that watches."""
    print(json.dumps(what), flush=True)


def tell(found: Counter[tuple[str, str]]) -> None:
    """What came of the cases since the last time, and what this process took so far."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    counts = {f"{ending} {what}": count for (ending, what), count in found.items()}
    say({"counts": counts, "seconds": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss << 10})
    found.clear()


def limit_memory() -> None:
    """Let this process take as much memory as an input may."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))


class Watched:
    """Children that work through the cases of a kind, and what came of these.

    Parameters
    ----------
    kind : str
    first, most : int
        Number of the first case, and how many cases at the most.
    minutes : float
    keep : path or None
        Folder for inputs that broke something.
    """

    def __init__(self, kind: str, first: int, most: int, minutes: float, keep: Path | None) -> None:
        self.kind, self.first, self.most, self.keep = kind, first, most, keep
        self.number = first
        self.end = time.monotonic() + 60 * minutes
        self.counts: Counter[str] = Counter()
        self.other: list[Figures] = []
        self.seconds, self.memory = 0.0, 0

    def figures(self) -> Figures:
        """So far; of the cases from `first` on, without a gap."""
        return {
            "first": self.first, "cases": self.number - self.first, "outcomes": dict(sorted(self.counts.items())),
            "processor seconds": round(self.seconds, 1), "most memory": self.memory, "other": self.other,
        }  # fmt: skip

    def run(self, save: Callable[[], None]) -> None:
        """Run children until the time is over or all is done."""
        ends_it: int | None = None  # the case that ended the last child, and those before it that it had not told of
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state"
            while time.monotonic() < self.end and self.number < self.first + self.most:
                if self.number == ends_it:
                    self.counts["ended the process"] += 1
                    self.number, ends_it = self.number + 1, None
                    continue
                state.write_bytes(_STATE.pack(self.number, 0.0))
                upto = self.first + self.most if ends_it is None else ends_it
                ends_it = self._one_child(state, upto, save) or ends_it

    def _one_child(self, state: Path, upto: int, save: Callable[[], None]) -> int | None:
        """Have a child work up to a case; the one that ended it, if one did."""
        left = f"{self.number},{upto - self.number},{max(0.0, self.end - time.monotonic())}"
        command = [sys.executable, __file__, self.kind, "--child", left, "--state", str(state)]
        log, before, used, why, rest = state.with_suffix(".log"), self.seconds, _used_by_children(), "", ""
        with log.open("wb") as sink, log.open("rb") as told:
            process = subprocess.Popen(command, stdout=sink, stderr=sink)
            seen, since, saved = self.number, time.monotonic(), time.monotonic()
            while process.poll() is None and not why:
                time.sleep(0.5)
                at = _STATE.unpack(state.read_bytes())[0]
                seen, since = (at, time.monotonic()) if at != seen else (seen, since)
                if time.monotonic() - since > 6 * SECONDS:  # of the clock: others have the processor too
                    why = f"took more than {6 * SECONDS} s"
                rest += self._hear(told, before)
                if time.monotonic() - saved > WRITTEN_EVERY:
                    save()
                    saved = time.monotonic()
            process.kill()
            code = process.wait()
            rest += self._hear(told, before)
        self.seconds = before + _used_by_children() - used
        if code == 0 and not why:
            return None
        last = int(_STATE.unpack(state.read_bytes())[0])
        self._keep(last, why or f"ended the process ({code}): {rest[-300:]}")
        return last

    def _hear(self, told: IO[bytes], before: float) -> str:
        """Take in what a child has said since; what others have said in its name is given back."""
        rest = ""
        for line in told.readlines():
            try:
                said = json.loads(line)
            except ValueError:
                rest += line.decode("utf-8", "replace")
                continue
            if "counts" in said:
                self.counts.update(said["counts"])
                self.seconds, self.memory = before + said["seconds"], max(self.memory, said["memory"])
                self.number = self.first + self.counts.total()
            else:
                self._keep(said["number"], said["what"])
        return rest

    def _keep(self, number: int, what: str) -> None:
        self.other.append({"number": number, "what": what[-600:]})
        if self.keep is not None:
            ending, content = fuzz_inputs.case(number, ENDINGS[self.kind])
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{self.kind}-{number}{ending.strip()}").write_bytes(content)


def _used_by_children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ------------------------------------------------------------------------------------------------------------- figures


def added(runs: list[Figures]) -> Figures:
    """Figures of runs of one kind in one, which no case may be in twice."""
    parts = sorted((part for run in runs for part in run.get("runs", [run])), key=lambda part: part["first"])
    for one, other in pairwise(parts):
        if one["first"] + one["cases"] > other["first"]:
            raise SystemExit(f"cases from {other['first']:,} on are in two runs; leave one out")
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(run["outcomes"])
    return {
        "runs": [{"first": part["first"], "cases": part["cases"]} for part in parts],
        "cases": sum(run["cases"] for run in runs), "outcomes": dict(sorted(counts.items())),
        "processor seconds": round(sum(run["processor seconds"] for run in runs), 1),
        "most memory": max(run["most memory"] for run in runs), "other": [one for run in runs for one in run["other"]],
    }  # fmt: skip


def show(figures: dict[str, Figures]) -> None:
    """Print figures by kind."""
    for kind, found in figures.items():
        seconds = found["processor seconds"]
        pace = f"{found['cases'] / seconds:,.0f} a second of a processor" if seconds else ""
        print(f"{kind}: {found['cases']:,} cases, {pace}; most memory {found['most memory'] >> 20:,} MiB")
        for what in ("ok", "own error", "other", "ended the process"):
            print(f"  {sum(n for name, n in found['outcomes'].items() if name.endswith(what)):,} {what}")
        for broken in found["other"][:20]:
            print("  ", broken["number"], broken["what"][-300:])


def main() -> None:
    """Read the command line, run or add, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=(*KINDS, "all", "add"))
    parser.add_argument("files", nargs="*", type=Path, help="what earlier runs wrote, to add")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=10**12, help="at most so many of each kind")
    parser.add_argument("--keep", type=Path, help="folder for inputs that broke something")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    results.add_json_option(parser)
    options = parser.parse_args()
    if options.child is not None:
        first, most, seconds = options.child.split(",")
        child(options.kind, int(first), int(most), float(seconds), options.state)
        return
    started = time.perf_counter()
    figures: dict[str, Figures] = {}
    if options.kind == "add":
        earlier = [json.loads(path.read_text(encoding="utf-8"))["figures"] for path in options.files]
        kinds = [kind for kind in KINDS if any(kind in one for one in earlier)]
        figures = {kind: added([one[kind] for one in earlier if kind in one]) for kind in kinds}
    shares = {"read": 0.7, "own": 0.1, "detect": 0.2, "all": 1.0}
    for kind in KINDS if options.kind == "all" else (() if options.kind == "add" else (options.kind,)):
        minutes = options.minutes * (shares[kind] if options.kind == "all" else 1.0)
        watched = Watched(kind, options.first, options.cases, minutes, options.keep)

        def save(kind: str = kind, watched: Watched = watched) -> None:
            figures[kind] = watched.figures()
            results.write(options.json, figures, started)

        watched.run(save)
        save()
    show(figures)
    results.write(options.json, figures, started)


if __name__ == "__main__":
    main()
