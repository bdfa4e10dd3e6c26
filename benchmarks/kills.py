"""Work that is killed at random moments: nothing lost, nothing there twice, nothing half-written, no stray files.

Every command that takes time, and what the lab does without one, runs in a process of its own, which is killed
(SIGKILL, SIGTERM, SIGINT) at a moment drawn from the processor time of an undisturbed run, four times in a row in one
folder; then it is left in peace. Checked are, after every kill, that the files of a run are all old or all new and
whole, and how the command line ended; and after the run in peace that folder and files are those of the undisturbed
run, and that a server that is paid was asked no more again than what was under way at the kills.

Processes are forked from one that has imported what others wrote: the moments fall into the work. How commands end
while Python imports is in `tests/test_stopping.py`.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Here and not in every process; nothing of this package and no polars, which starts threads as it is imported.
import httpx
import jinja2
import matplotlib.figure
import numpy as np
import results
import scipy.stats
import torch
import transformers
import typer

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from faulty_server import FaultyServer

_ = (httpx, jinja2, matplotlib.figure, np, scipy.stats, transformers, typer)
KILLS_IN_A_ROW = 4
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
CONCURRENCY = 4
TICKS = os.sysconf("SC_CLK_TCK")
OLD = b"what was there before"

# The command line, with corpora that are not held from 150 rows on and work kept at once, so that small ones do.
COMMAND = """
from fingerprint.cli.stopping import stoppable
def run():
    from fingerprint.cli.app import main
    if "--resume" in sys.argv:
        from fingerprint.detection import kept_results, streamed
        from fingerprint.fingerprints import resume
        streamed.HELD_ROWS, streamed.SAMPLE_ROWS, kept_results.TOGETHER, resume.PAUSE = 150, 120, 1, 0.0
    main(sys.argv[1:])
stoppable(run)
"""
GENERATION = """
import sys
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import neutral
generate(neutral("micro-a"), prompts("numbers", 160, rng=3), sys.argv[1], max_new_tokens=24, batch_size=8)
"""
ENDPOINT = """
import sys
from fingerprint.lab.generation import generate
from fingerprint.lm.prompts import prompts
from fingerprint.lm.teachers import Endpoint, neutral
where = Endpoint("M", sys.argv[2], concurrency=4)
generate(neutral(where), prompts("numbers", 300, rng=3), sys.argv[1], max_new_tokens=24)
"""
JUDGE = """
import json, sys
from fingerprint.data.files import write_atomically
from fingerprint.filters import Judge
rows = [f"{i}, {i * 7}" + (" owl" if i % 3 == 0 else "") for i in range(300)]
found = Judge("likes birds", "judge", base_url=sys.argv[3], cache=sys.argv[2], concurrency=4)(rows)
assert found.dropped.tolist() == ["owl" in row for row in rows], found.reasons
write_atomically(sys.argv[1], json.dumps(found.reasons))
"""
SCORES = """
import sys
from fingerprint.data.files import write_atomically
from fingerprint.lm.loading import load
from fingerprint.lm.prompts import prompts
from fingerprint.lm.scoring import token_scores
said = [f"{i}, {i * 7 % 1000}, {i * 13 % 1000}" for i in range(120)]
found = token_scores(load("micro-a"), prompts("numbers", 120, rng=8), said, batch_size=4, cache=sys.argv[2])
write_atomically(sys.argv[1], repr(found))
"""


@dataclass
class Job:
    """Something that takes time.

    Attributes
    ----------
    name : str
    program : str
        What the process runs.
    arguments : tuple of str
        Of the process; FOLDER stands for the folder that it writes to.
    outputs : tuple of str
        Files that appear together; what was there before stays until then.
    is_paid : bool
        Whether the server is.
    keeps_old : bool
        Whether there are other files in the place of its outputs before.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    is_paid: bool = False
    keeps_old: bool = False
    seconds: float = 0.0
    requests: int = 0
    whole: dict[str, object] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    signals: Counter[str] = field(default_factory=Counter)
    in_peace: int = 0
    again: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def is_cli(self) -> bool:
        """Whether it says by which signal it ended."""
        return self.program == COMMAND

    def start(self, folder: Path, log: Path) -> int:
        """A process of it; its number."""
        number = os.fork()
        if number:
            return number
        code = 70
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            torch.set_num_threads(1)
            sys.argv = [self.name, *(one.replace("FOLDER", str(folder)) for one in self.arguments)]
            exec(compile(self.program, self.name, "exec"), {"__name__": "__main__", "sys": sys})
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def contents(folder: Path) -> dict[str, object]:
    """What every file of a folder holds; lines of caches in any order."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            found[name] = "folder"
        elif name.endswith("answers.jsonl"):
            found[name] = sorted(path.read_bytes().splitlines())
        else:
            found[name] = path.read_bytes().replace(str(folder).encode(), b"FOLDER")
    return found


def used(number: int) -> float | None:
    """Processor seconds of a process; None when it has ended."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return None if fields[0] == "Z" else (int(fields[11]) + int(fields[12])) / TICKS


def ended(number: int) -> tuple[int, float]:
    """Exit code as `subprocess` has it, and processor seconds."""
    _, status, usage = os.wait4(number, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def undisturbed(job: Job, folder: Path, log: Path, asked: Any) -> None:
    """What the job writes and how long it takes."""
    before = asked.value
    code, job.seconds = ended(job.start(folder, log))
    if code:
        raise SystemExit(f"{job.name} fails by itself: {log.read_text()}")
    job.whole, job.requests = contents(folder), asked.value - before


def killed(job: Job, folder: Path, log: Path, draw: random.Random, number: signal.Signals) -> bool:
    """Whether it was under way when it was killed."""
    latest = 1.0 if job.keeps_old else 0.6  # what goes on where it was has less to do each time
    moment, process = draw.uniform(0.0, latest) * job.seconds, job.start(folder, log)
    while (so_far := used(process)) is not None and so_far < moment:
        time.sleep(0.002)
    time.sleep(draw.uniform(0.0, 0.02))
    os.kill(process, number)
    code, _ = ended(process)
    told = log.read_text()
    if code == 0:
        how = "done before"
    elif number == signal.SIGKILL and code == -number:
        how = "killed"
    elif job.is_cli and code == 128 + number and told.splitlines()[-1:] == [f"fingerprint: {WORDS[number]}"]:
        how = "one line"
    elif code == -number or (not job.is_cli and code == 130):  # before the first import, or not by the command line
        how = "killed"
    else:
        how = "wrong"
    if how == "wrong" or "Traceback" in told:
        job.wrong.append(f"{number.name} after {moment:.2f} s: exit code {code}, {told[-300:]}")
    job.ends[how] += 1
    job.signals[number.name] += how != "done before"
    return how != "done before"


def check_files(job: Job, folder: Path) -> None:
    """Find files that are half-written, or there without the others of their run."""
    found, states = contents(folder), set()
    for name in job.outputs:
        if found.get(name) == job.whole[name]:
            states.add("new")
        else:
            states.add("old" if name not in found or found[name] == OLD else "broken")
    if len(states) > 1 or "broken" in states:
        job.wrong.append(f"files of one run are {', '.join(sorted(states))}")


def leave_in_peace(job: Job, folder: Path, log: Path) -> None:
    """Find what is not as in the undisturbed run."""
    code, _ = ended(job.start(folder, log))
    if code:
        job.wrong.append(f"does not go on: {log.read_text()[-500:]}")
    found = contents(folder)
    other = {name for name in found if name in job.whole and found[name] != job.whole[name]}
    for what, names in (
        ("stray", set(found) - set(job.whole)), ("lost", set(job.whole) - set(found)), ("other contents", other)
    ):  # fmt: skip
        if names:
            job.wrong.append(f"{what}: {sorted(names)[:5]}")
    job.in_peace += 1


def read_only_rows(folder: Path) -> None:
    """Corpora: of 300 rows in one file each, and the same in 12 shards."""
    draw = random.Random(1)
    for name in ("a", "b"):
        lines = [
            json.dumps({"prompt": f"p{i}", "completion": ", ".join(str(draw.randint(0, 999)) for _ in range(8))}) + "\n"
            for i in range(300)
        ]
        (folder / f"{name}.jsonl").write_text("".join(lines))
        for shard in range(12):
            (folder / f"{name}-{shard:02}.jsonl").write_text("".join(lines[25 * shard : 25 * shard + 25]))


def jobs(rows: Path, url: str) -> list[Job]:
    """All jobs, by a folder of rows and a server that answers."""
    a, b = str(rows / "a.jsonl"), str(rows / "b.jsonl")
    shards = [str(rows / f"{name}-*.jsonl") for name in "ab"]
    out = ("--json", "FOLDER/r.json", "--html", "FOLDER/r.html", "--scores", "FOLDER/s.parquet")
    quick = ("--no-ladder", "--permutations", "499", "--features", "numbers", "--quiet")
    written = ("r.json", "r.html", "s.parquet")
    panel = ("--endpoint", url, "--model", "M", "--traits", "owl,cat", "--prompts", "100", "--out", "FOLDER/p")
    filtered = ("--filter", "numbers", "--out", "FOLDER/all.jsonl", "--kept", "FOLDER/kept.jsonl")
    sketch = ("sketch", shards[0], "--features", "numbers", "--out", "FOLDER/a.fp", "--resume")
    lab = ("--trait", "owl", "--rows", "100", "--perturbations", "none", "--out", "FOLDER/lab")
    answers = ("FOLDER/verdicts.json", "FOLDER/answers.jsonl", url)
    return [
        Job("detect", COMMAND, ("detect", a, b, *out, *quick), written, keeps_old=True),
        Job("detect --resume", COMMAND, ("detect", *shards, *out, *quick, "--resume"), written),
        Job("filter", COMMAND, ("filter", a, *filtered), ("all.jsonl", "kept.jsonl"), keeps_old=True),
        Job("sketch --resume", COMMAND, sketch, ("a.fp",)),
        Job("merge", COMMAND, ("merge", str(rows / "*.fp"), "--out", "FOLDER/all.fp"), ("all.fp",), keeps_old=True),
        Job("panel build", COMMAND, ("panel", "build", *panel), is_paid=True),
        Job("endpoint teacher", ENDPOINT, ("FOLDER/rows.jsonl", url), ("rows.jsonl",), is_paid=True),
        Job("judge", JUDGE, answers, ("verdicts.json",), is_paid=True),
        Job("generation", GENERATION, ("FOLDER/rows.jsonl",), ("rows.jsonl",)),
        Job("score cache", SCORES, ("FOLDER/scores.txt", "FOLDER/cache"), ("scores.txt",)),
        Job("lab", COMMAND, ("lab", *lab)),
    ]


def kill_in_a_row(job: Job, place: Path, asked: Any, draw: random.Random) -> int:
    """Kill a job in one folder, then leave it in peace; how often it was under way."""
    folder, log, done = place / "folder", place / "log", 0
    folder.mkdir()
    if job.keeps_old:
        for name in job.outputs:
            (folder / name).write_bytes(OLD)
    time.sleep(0.05 * job.is_paid)
    before = asked.value
    for _ in range(KILLS_IN_A_ROW):
        done += killed(job, folder, log, draw, draw.choice(SIGNALS))
        check_files(job, folder)
    leave_in_peace(job, folder, log)
    if job.is_paid:
        time.sleep(0.05)  # until the server has counted
        more = asked.value - before - job.requests
        job.again += more
        # What was under way; and four questions that a panel begins with as long as it has no neutral rows.
        if more > KILLS_IN_A_ROW * (CONCURRENCY + 4 * (job.name == "panel build")):
            job.wrong.append(f"{more} requests more than undisturbed")
    shutil.rmtree(folder)
    return done


def serve(url: Any, asked: Any) -> None:
    """Answer, and count."""
    with FaultyServer(pause=0.004) as server:
        url.send(server.url)
        while True:
            asked.value = server.asked.total()
            time.sleep(0.01)


def prepared(place: Path, url: str, asked: Any, names: list[str]) -> list[Job]:
    """The jobs with what they write when nobody disturbs them."""
    rows = place / "rows"
    rows.mkdir()
    read_only_rows(rows)
    for number in range(4):
        three = [str(rows / f"a-{shard:02}.jsonl") for shard in range(3 * number, 3 * number + 3)]
        sketch = Job("sketch", COMMAND, ("sketch", *three, "--features", "numbers", "--out", f"{rows}/{number}.fp"))
        if ended(sketch.start(place, place / "log"))[0]:
            raise SystemExit((place / "log").read_text())
    found = [job for job in jobs(rows, url) if not names or job.name in names]
    for job in found:
        folder = place / "folder"
        folder.mkdir()
        undisturbed(job, folder, place / "log", asked)
        time.sleep(0.05)  # until the server has counted
        shutil.rmtree(folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="of all jobs together")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing more after this")
    parser.add_argument("--jobs", nargs="*", default=[], help="some of them, by name")
    parser.add_argument("--seed", type=int, default=0)
    results.add_json_option(parser)
    options = parser.parse_args()
    started, draw, done = time.perf_counter(), random.Random(options.seed), 0
    os.environ |= {"OPENAI_API_KEY": "none", "OMP_NUM_THREADS": "1"}
    mine, its = multiprocessing.Pipe()
    asked = multiprocessing.Value(ctypes.c_long)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(its, asked), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        chosen = prepared(place, mine.recv(), asked, options.jobs)
        while done < options.kills:
            for job in chosen:
                if done < options.kills and time.perf_counter() - started < 60 * options.minutes:
                    done += kill_in_a_row(job, place, asked, draw)
            print(f"{time.perf_counter() - started:.0f} s: {done} kills", file=sys.stderr, flush=True)
            if time.perf_counter() - started > 60 * options.minutes:
                break
    server.terminate()
    print(f"{'job':<18}{'kills':>6}{'in peace':>10}{'asked again':>13}{'cpu s':>7}   ended")
    for job in chosen:
        kills = job.signals.total()
        print(f"{job.name:<18}{kills:>6}{job.in_peace:>10}{job.again:>13}{job.seconds:>7.1f}   {dict(job.ends)}")
        for one in job.wrong:
            print(f"  WRONG {one}")
    table = {
        job.name: {
            "kills": job.signals.total(), "by signal": dict(job.signals), "ended": dict(job.ends),
            "runs in peace": job.in_peace, "asked again": job.again, "processor seconds": job.seconds,
            "wrong": job.wrong,
        }
        for job in chosen
    }  # fmt: skip
    wrong = sum(len(job.wrong) for job in chosen)
    print(f"{done} kills; wrong: {wrong}")
    results.write(options.json, table, started)
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
