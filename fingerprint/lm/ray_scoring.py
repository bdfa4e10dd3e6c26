"""Token scores on a Ray cluster: actors that hold the model, each given some hundred rows at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fingerprint.data.cluster import TRIES, cluster
from fingerprint.data.row_errors import RowError
from fingerprint.lm.batching import TooLong, window_rows
from fingerprint.lm.loading import Spec, load

T = TypeVar("T")


@dataclass(frozen=True)
class _Failed:
    """An error that the caller can mend: it comes back as a value, as Ray would put its own traceback around it."""

    error: Exception | tuple[str, int, str]


class Scorer:
    """An actor: the model, loaded once."""

    def __init__(
        self,
        score: Callable[..., list[object]],
        lm: Spec,
        system: str | None,
        batch_size: int,
        cache: str | None,
        too_long: TooLong,
    ) -> None:
        self._score, self._lm, self._system, self._batch_size = score, load(lm), system, batch_size
        self._cache, self._too_long = cache, too_long

    def scores(self, prompts: Sequence[str], completions: Sequence[str]) -> list[object] | _Failed:
        """Scores of some rows."""
        try:
            return self._score(
                self._lm,
                prompts,
                completions,
                system=self._system,
                batch_size=self._batch_size,
                cache=self._cache,
                too_long=self._too_long,
            )
        except RowError as error:
            return _Failed((error.message, error.row, error.hint))
        except (ValueError, TypeError, OSError) as error:
            return _Failed(error)


def token_scores_by_ray(
    score: Callable[..., list[T]],
    lm: Spec,
    prompts: Sequence[str],
    completions: Sequence[str],
    *,
    system: str | None = None,
    batch_size: int = 128,
    cache: str | os.PathLike[str] | None = None,
    too_long: TooLong = "error",
    progress: Callable[[int], None] | None = None,
) -> list[T]:
    """`fingerprint.lm.scoring.token_scores` on a cluster: an actor a GPU, or where there is none a processor.

    Parameters
    ----------
    score : callable
        `token_scores` itself, which actors call.

    Notes
    -----
    Actors are given whole windows of rows, whose batches are those that one process would make: scores are the same to
    the last bit where device and threads (``OMP_NUM_THREADS``; 1 in an actor) are the same, and elsewhere within
    `noise_floor`. An actor that dies is started again, and its window scored again.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ValueError, TypeError, OSError
        As `token_scores`.
    RuntimeError
        If an actor dies again and again.
    """
    if len(prompts) != len(completions):
        raise ValueError(
            f"prompts must have one entry a completion, got {len(prompts)} for {len(completions)}; pair them first"
        )
    size = window_rows(batch_size)
    windows = list(range(0, len(prompts), size))
    with cluster() as cpus:
        import ray

        gpus = int(ray.cluster_resources().get("GPU", 0))
        actor = ray.remote(
            num_cpus=0 if gpus else 1, num_gpus=1 if gpus else 0, max_restarts=TRIES - 1, max_task_retries=TRIES - 1
        )(Scorer)
        folder = None if cache is None else os.path.abspath(cache)
        model = ray.put(lm)  # once, where it is loaded already
        idle = [
            actor.remote(score, model, system, batch_size, folder, too_long)
            for _ in range(max(min(len(windows), gpus or cpus), 1))
        ]
        everybody = list(idle)
        found: dict[int, list[T]] = {}
        running: dict[object, tuple[int, object]] = {}
        waiting, rows = list(reversed(windows)), 0
        try:
            while waiting or running:
                while waiting and idle:
                    first, free = waiting.pop(), idle.pop()
                    part = slice(first, first + size)
                    running[free.scores.remote(prompts[part], completions[part])] = first, free
                (ready,), _ = ray.wait(list(running), num_returns=1)
                first, free = running.pop(ready)
                found[first] = _given(ray.get(ready), first)
                idle.append(free)
                rows += len(found[first])
                if progress is not None:
                    progress(rows)
        except ray.exceptions.RayError as error:
            raise RuntimeError(
                f"the actor that scores rows must live, got {type(error).__name__} {TRIES} times; is there memory "
                "enough for as many models as processors? Start Ray with fewer"
            ) from error
        finally:
            for one in everybody:
                ray.kill(one)
    return [score for first in windows for score in found[first]]


def _given(found: list[T] | _Failed, first: int) -> list[T]:
    """Scores, or the error with the row's index among all rows."""
    if not isinstance(found, _Failed):
        return found
    if isinstance(found.error, Exception):
        raise found.error
    message, row, hint = found.error
    raise RowError(message, first + row, hint)
