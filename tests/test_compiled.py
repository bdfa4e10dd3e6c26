"""When compiled code is used: never before it pays, and the same results either way."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from fingerprint.features import compiled as policy


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(policy.FORCE, raising=False)
    monkeypatch.setattr(policy, "_spent", defaultdict(float))
    monkeypatch.setattr(policy, "_ready", set())


def texts(seconds: float) -> list[str]:
    """What the reference reads in so many seconds, and a little more."""
    return ["x" * 150] * (int(seconds * policy.REFERENCE_SPEED) // 150 + 1)


def test_compiled_code_is_used_once_compiling_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_is_on_disk", lambda kernels: False)
    repays = policy.COMPILE_SECONDS
    assert not policy.compiled("hashed", texts(repays - 0.1))
    assert not policy.compiled("other", texts(repays - 0.1))
    assert not policy.compiled("faster", texts(repays), reference_speed=2 * policy.REFERENCE_SPEED)
    assert policy.compiled("hashed", texts(0.1))
    assert policy.compiled("hashed", [])
    assert not policy.compiled("other", [])


def test_what_is_on_disk_is_loaded_once_all_families_together_have_read_for_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy, "_is_on_disk", lambda kernels: kernels != "none")
    assert not policy.compiled("hashed", texts(policy.LOAD_SECONDS - 0.1))
    assert policy.compiled("other", texts(0.1))
    assert not policy.compiled("none", texts(1.0))
    assert not policy.compiled("little", ["x"])  # less than it takes to load one more kernel
    assert policy.compiled("hashed", [])


def test_rows_that_will_be_read_often_are_read_by_compiled_code_from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_is_on_disk", lambda kernels: kernels == "hashed")
    policy.foresee(texts(policy.LOAD_SECONDS / 5), 5)
    assert policy.compiled("hashed", texts(policy.KERNEL_SECONDS))
    policy.foresee(texts(policy.COMPILE_SECONDS), 5)
    assert not policy.compiled("other", texts(policy.KERNEL_SECONDS))  # nothing is compiled for what may never come


def test_a_large_input_is_read_by_compiled_code_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_is_on_disk", lambda kernels: False)
    assert policy.compiled("hashed", texts(policy.COMPILE_SECONDS))
    assert policy.compiled("one kernel", texts(1.0), compile_seconds=1.0)


def test_either_way_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(policy.FORCE, "1")
    assert policy.compiled("hashed", [])
    monkeypatch.setenv(policy.FORCE, "0")
    assert not policy.compiled("hashed", texts(policy.COMPILE_SECONDS))


def test_threads_are_as_many_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert policy.n_threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert policy.n_threads() >= 1


def test_what_calls_at_the_same_time_have_set_is_put_back_by_the_last() -> None:
    before = sys.getswitchinterval()
    assert before > policy.SWITCH_SECONDS
    first, second = policy.own_threads(), policy.own_threads()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(policy.SWITCH_SECONDS)
    second.__exit__(None, None, None)
    assert sys.getswitchinterval() == pytest.approx(before)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_parts_keep_their_order_in_threads(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    for n_parts in (0, 1, 20):
        assert policy.in_threads(lambda part: part * part, n_parts) == [part * part for part in range(n_parts)]
    names = set(policy.in_threads(lambda part: threading.current_thread().name, 20))
    assert (threading.main_thread().name in names) == (threads == "1")


def test_parts_of_which_one_fails_leave_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held by an error, threads were ended by whoever collected garbage, and `fingerprint` hung on bad files."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before, done, is_slow = set(threading.enumerate()), [], threading.Event()

    def work(part: int) -> None:
        if part == 0:
            is_slow.wait(30)
            raise ValueError("the first")
        is_slow.set()
        time.sleep(0.1)
        done.append(part)

    with pytest.raises(ValueError, match="the first") as caught:
        [wait() for wait in policy.side_by_side(work, range(50))]
    assert 1 in done
    assert len(done) < 50
    n_done = len(done)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before  # while the error, and all that it holds, is still there
    assert (len(done), str(caught.value)) == (n_done, "the first")


KERNELS = """
import sys
from fingerprint.features import kernels
@kernels.kernel
def double(x):
    return 2 * x
print(double(21), kernels.is_on_disk({module!r}), kernels.is_on_disk("none"))
"""


def run(program: Path, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=True, env=environment
    ).stdout


def test_kernels_work_where_nothing_can_be_written(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(KERNELS.format(module="program"), encoding="utf-8")
    root = str(Path(policy.__file__).parents[2])
    only = {"NUMBA_CACHE_DIR": "/dev/null/a", "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    assert run(program, PYTHONPATH=root, **only) == "42 False False\n"
