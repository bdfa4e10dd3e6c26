"""The progress bar: which step runs, what share of the work is done, and about how long the rest takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.text import Text

from fingerprint.data.progress import TimeLeft, duration


class _Left(ProgressColumn):
    """Time left: counts down between two steps."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        until = task.fields["until"]
        return Text("" if until is None else f"about {duration(max(until - monotonic(), 1.0))} left")


@contextmanager
def drawn_bar(*, is_plain: bool) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error, gone when the work is done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), _Left())
    with Progress(*columns, console=Console(stderr=True, no_color=is_plain), transient=True) as bar:
        task, left = bar.add_task("starting", total=1.0, until=None), TimeLeft()

        def tell(step: str, share: float) -> None:
            seconds = left(share)
            until = None if seconds is None else monotonic() + seconds
            bar.update(task, description=step, completed=share, until=until)

        yield tell
