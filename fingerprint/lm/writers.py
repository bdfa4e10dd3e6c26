"""Whoever writes rows: what teachers on this machine and teachers behind endpoints have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, Unpack, runtime_checkable

from fingerprint.lm.sampling import Sampled, SamplingOptions


@runtime_checkable
class RowWriter(Protocol):
    """A teacher, as far as it writes rows: `fingerprint.lm.teachers.Teacher`, or one behind an endpoint."""

    @property
    def name(self) -> str:
        """For provenance: "finetuned: owl"."""

    @property
    def system(self) -> str | None:
        """The system message before every prompt, if there is one."""

    def sample(self, prompts: Sequence[str], *, seed: int = 0, **options: Unpack[SamplingOptions]) -> list[Sampled]:
        """One completion a prompt."""

    def provenance(self) -> dict[str, object]:
        """What every row says of its writer; rows that say something else are of another run."""

    def rows_together(self, batch_size: int) -> int:
        """How many rows are written together, and have to be kept or written anew together."""

    def write(
        self, prompts: Mapping[int, str], *, seed: int, temperature: float, max_new_tokens: int, batch_size: int
    ) -> Iterator[dict[int, Sampled]]:
        """Completions by the numbers of their rows, in portions as they come.

        Parameters
        ----------
        prompts : mapping of int to str
            Prompts by the numbers of their rows; whole portions of `rows_together` rows.
        seed, temperature, max_new_tokens, batch_size
            As in `fingerprint.lm.sampling.sample`. Draws of a row hang on seed, writer and row number.

        Raises
        ------
        ConnectionError
            If rows got no answer, after all others were handed over.
        """
