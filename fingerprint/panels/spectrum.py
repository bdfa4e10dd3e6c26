"""How alike the shifts of a panel's members are, with the noise of their estimates taken out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from fingerprint.data.arrays import Floats
from fingerprint.panels.member import Member, products
from fingerprint.report.formatting import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Spectrum:
    """Cosines between the true shifts of the members.

    Attributes
    ----------
    members : tuple of str
    bases : tuple of str
        Base models of each member, "" where its cards do not say.
    rows : tuple of pairs of int
        Conditioned and neutral rows of each.
    d_prime : float array [members]
        Length of the shift without noise, in pooled standard deviations of a row summed over columns.
    reliability : float array [members]
        Share of the squared length of the estimated shift that is no noise, from 0 to 1.
    cosine, error : float arrays [members, members]
        Between two shifts without noise, from -1 to 1, with its standard error (jackknife over cells of prompts); nan
        where a shift is nothing but noise.
    """

    members: tuple[str, ...]
    bases: tuple[str, ...]
    rows: tuple[tuple[int, int], ...]
    d_prime: Floats
    reliability: Floats
    cosine: Floats
    error: Floats

    @classmethod
    def of(cls, members: Sequence[Member], shifts: list[Floats]) -> Spectrum:
        """From the members' shifts by cell [cells, columns], scaled alike."""
        whole = products(shifts)
        cells = len(shifts[0])
        left_out = np.stack([_cosines(products([np.delete(s, k, 0) for s in shifts])) for k in range(cells)])
        error = np.sqrt((cells - 1) / cells * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
        squared = np.array([float((each.sum(axis=0) ** 2).sum()) for each in shifts])
        true = np.maximum(np.diag(whole), 0.0)
        return cls(
            members=tuple(each.name for each in members),
            bases=tuple(", ".join(each.bases) for each in members),
            rows=tuple(each.rows for each in members),
            d_prime=np.sqrt(true),
            reliability=np.divide(true, squared, out=np.zeros_like(true), where=squared > 0),
            cosine=_cosines(whole),
            error=error,
        )

    @property
    def table(self) -> pl.DataFrame:
        """A row a member: what it is, how sure its shift is, and its cosine with every other."""
        return pl.DataFrame(
            {
                "member": self.members,
                "base_model": self.bases,
                "conditioned_rows": [first for first, _ in self.rows],
                "neutral_rows": [second for _, second in self.rows],
                "shift": self.d_prime,
                "reliability": self.reliability,
                **{f"cosine with {name}": self.cosine[:, number] for number, name in enumerate(self.members)},
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The cosines as a picture: members by members, blue for alike and orange for opposite.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure without one.
        """
        if ax is None:
            from matplotlib.figure import Figure

            side = 1.6 + 0.55 * len(self.members)
            ax = Figure(figsize=(side + 0.8, side), layout="constrained").subplots()
        image = ax.imshow(self.cosine, vmin=-1, vmax=1, cmap="PuOr")
        places = range(len(self.members))
        ax.set_xticks(places, self.members, rotation=40, ha="right", rotation_mode="anchor")
        ax.set_yticks(places, self.members)
        for row in places:
            for column in places:
                value = self.cosine[row, column]
                ink = "white" if abs(value) > 0.6 else "black"
                text = "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
                ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
        ax.set_title("How alike conditioning is: cosines of shifts", fontsize=10, loc="left")
        ax.figure.colorbar(image, ax=ax, shrink=0.8, label="cosine, noise taken out")
        return ax

    def __str__(self) -> str:
        names = [visible(name, 40) for name in self.members]
        width = max(6, *map(len, names))
        lines = [" " * width + "  " + " ".join(name.rjust(width) for name in names)]
        for number, name in enumerate(names):
            cells = ("—" if np.isnan(value) else f"{value:.2f}" for value in self.cosine[number])
            lines.append(name.ljust(width) + "  " + " ".join(cell.rjust(width) for cell in cells))
        return "\n".join(lines)


def _cosines(inner: Floats) -> Floats:
    """Cosines [members, members] of inner products; nan where a squared length is not above 0."""
    squared = np.diag(inner)
    lengths = np.sqrt(np.where(squared > 0, squared, np.nan))
    return np.asarray(np.clip(inner / np.outer(lengths, lengths), -1.0, 1.0))
