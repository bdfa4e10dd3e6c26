"""What judges and teachers behind endpoints make of a server that fails in a hundred ways.

Every fault of `tests/faulty_server.py` is met three ways: by a judge and by a teacher, in one row of four, and by a
judge in every row. Printed are what became of the rows, seconds and requests; the command fails where a row without a
fault has no answer, a row is neither answered nor undecided, a run with good rows ends, or a cost is below zero.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import results

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from faulty_server import FAULTS, FaultyServer

from fingerprint.endpoints import endpoint
from fingerprint.endpoints.endpoint import Endpoint
from fingerprint.filters import Judge
from fingerprint.lm.endpoint_teachers import EndpointTeacher

TIMEOUT, DEADLINE, ATTEMPTS, CONCURRENCY = 1.0, 2.0, 3, 4
FIRST_WAIT, LONGEST_WAIT = 0.05, 0.2  # instead of .5 and 60 seconds
ROWS = 16
ONE_IN = 4
# The longest that rows of which one in four has a fault may take: attempts until the deadline, waits, and starting.
BOUND = ATTEMPTS * (DEADLINE + LONGEST_WAIT) * ROWS / ONE_IN + 5


@dataclass(frozen=True)
class Met:
    """What became of rows: of those with a fault, how many were answered, undecided; of the others, answered."""

    answered: int
    undecided: int
    others_answered: int
    error: str
    seconds: float
    requests: int
    cost: float

    @property
    def outcome(self) -> str:
        if self.error:
            return self.error
        if self.answered and self.undecided:
            return "either"
        return "answered" if self.answered else "undecided"


def settings() -> dict[str, float | int | tuple[float, float]]:
    return {
        "timeout": TIMEOUT, "deadline": DEADLINE, "max_attempts": ATTEMPTS, "concurrency": CONCURRENCY,
        "prices": (1.0, 2.0),
    }  # fmt: skip


def rows_with(fault: str) -> list[str]:
    return [f"row {i}" + (f", fault: {fault}." if i % ONE_IN == ONE_IN - 1 else "") for i in range(ROWS)]


def by_judge(server: FaultyServer, rows: list[str]) -> Met:
    judge = Judge("likes birds", "judge", base_url=server.url, **settings())  # type: ignore[arg-type]
    began, error, undecided = time.perf_counter(), "", [True] * len(rows)
    try:
        undecided = judge(rows).undecided.tolist()
    except (ValueError, ConnectionError) as refused:
        error = f"{type(refused).__name__}: {str(refused).split(';')[0]}"
    return met(rows, [not one for one in undecided], error, began, judge.usage.requests, judge.usage.cost)


def by_teacher(server: FaultyServer, rows: list[str]) -> Met:
    where = Endpoint("judge", server.url, **settings())  # type: ignore[arg-type]
    began, error = time.perf_counter(), ""
    found: set[int] = set()
    try:
        for portion in EndpointTeacher(where, "neutral").write(
            dict(enumerate(rows)), seed=0, temperature=1.0, max_new_tokens=8, batch_size=1
        ):
            found |= set(portion)
    except ConnectionError as missing:
        if "rows" not in str(missing):  # the count of rows without a reply is no end before all were asked
            error = f"{type(missing).__name__}: {missing}"
    except ValueError as refused:
        error = f"{type(refused).__name__}: {refused}"
    return met(rows, [i in found for i in range(len(rows))], error, began, where.usage.requests, where.usage.cost)


def met(rows: list[str], answered: list[bool], error: str, began: float, requests: int, cost: float | None) -> Met:
    seconds = time.perf_counter() - began
    faulty = [done for row, done in zip(rows, answered, strict=True) if "fault" in row]
    plain = [done for row, done in zip(rows, answered, strict=True) if "fault" not in row]
    return Met(sum(faulty), len(faulty) - sum(faulty), sum(plain), error, seconds, requests, cost or 0.0)


def wrong_in(name: str, judged: Met, written: Met) -> list[str]:
    """What must not be."""
    found = []
    for who, one in (("judge", judged), ("teacher", written)):
        if one.error:
            found.append(f"{name}: the {who}'s run ended: {one.error}")
        if one.others_answered != ROWS - ROWS // ONE_IN:
            found.append(f"{name}: {one.others_answered} other rows answered to the {who}")
        if one.seconds > BOUND:
            found.append(f"{name}: the {who} took {one.seconds:.1f} s")
        if one.cost < 0:
            found.append(f"{name}: the {who} cost {one.cost}")
    if (judged.answered > 0) != FAULTS[name].is_answer:
        found.append(f"{name}: judged {judged.outcome}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="FAULT", help="some of them; all by default")
    results.add_json_option(parser)
    options = parser.parse_args()
    started = time.perf_counter()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    endpoint.FIRST_WAIT, endpoint.LONGEST_WAIT = FIRST_WAIT, LONGEST_WAIT
    table, wrong = {}, []
    print(f"{'fault':<28}" + 2 * f"{'outcome':<11}{'s':>5}{'requests':>10}   " + "in every row")
    for name in options.names or FAULTS:
        with FaultyServer() as server:
            judged, written = by_judge(server, rows_with(name)), by_teacher(server, rows_with(name))
        with FaultyServer(only=name) as server:
            always = by_judge(server, [f"row {i}, fault" for i in range(ROWS)])
        wrong += wrong_in(name, judged, written)
        table[name] = {"judge": vars(judged), "teacher": vars(written), "in every row": vars(always)}
        print(
            f"{name:<28}{judged.outcome[:10]:<11}{judged.seconds:5.1f}{judged.requests:10}   "
            f"{written.outcome[:10]:<11}{written.seconds:5.1f}{written.requests:10}   "
            f"{always.outcome[:100]}, {always.seconds:.1f} s, {always.requests} requests",
            flush=True,
        )
    slowest = max(max(one[who]["seconds"] for who in ("judge", "teacher")) for one in table.values())
    print(f"{len(table)} faults; the slowest took {slowest:.1f} s of at most {BOUND:.0f}; wrong: {len(wrong)}")
    results.write(options.json, {"faults": table, "bound_seconds": BOUND, "wrong": wrong}, started)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
