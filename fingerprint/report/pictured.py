"""The pictures of a report as methods, for notebooks and papers; matplotlib is loaded when the first one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fingerprint.report.detection_result import DetectionResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Pictured(DetectionResult):
    """A result that can be drawn, with the pictures that its page shows.

    Notes
    -----
    Without ``ax`` a picture is as wide as a column of a paper: 8.5 cm, text of 8 points. With it, it takes the sizes
    and fonts of the figure that it is drawn into. Its two colours, vermilion and blue of Okabe and Ito (2008) made
    darker on white paper and lighter on dark, are told apart by all common kinds of colour vision, and nothing is told
    by colour alone. What a picture shows in words, for an alternative text: `fingerprint.report.plots.alt_text`.
    """

    def plot(self, *, dark: bool = False) -> dict[str, Axes]:
        """Draw all pictures that there is something to draw for, in one figure.

        Parameters
        ----------
        dark : bool
            Whether the paper is dark.

        Returns
        -------
        dict of str to matplotlib.axes.Axes
            By the names bags, null, ladder, families, filters and features.

        Examples
        --------
        >>> import fingerprint
        >>> report = fingerprint.detect("suspect.jsonl", "reference.jsonl")
        >>> axes = report.plot()
        >>> axes["null"].figure.savefig("report.pdf")
        >>> list(axes)
        ['bags', 'null', 'ladder', 'families', 'features']
        """
        from fingerprint.report.plots import overview

        return overview(self, dark=dark)

    def plot_bags(self, ax: Axes | None = None, *, dark: bool = False) -> Axes:
        """AUROC of bags of k texts with 95 % intervals, beside what independent rows would give, Phi(d_prime
        sqrt(k / 2)).

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure without one.
        dark : bool
            Whether the paper is dark.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If there is nothing to draw.
        """
        return self._drawn("bags", ax, dark)

    def plot_null(self, ax: Axes | None = None, *, dark: bool = False) -> Axes:
        """The histogram of the permutation null, the observed statistic, and how many of the null's standard deviations
        lie between; the axis is broken where it is far beyond the null. Parameters as of `plot_bags`.
        """
        return self._drawn("null", ax, dark)

    def plot_ladder(self, ax: Axes | None = None, *, dark: bool = False) -> Axes:
        """AUROC of rows and of bags of 16 on every rung of the ladder, with 95 % intervals and p-values, those at most
        alpha in bold. Parameters as of `plot_bags`.
        """
        return self._drawn("ladder", ax, dark)

    def plot_families(self, ax: Axes | None = None, *, dark: bool = False) -> Axes:
        """Row AUROC of every feature family alone, with 95 % intervals and adjusted p-values. Parameters as of
        `plot_bags`.
        """
        return self._drawn("families", ax, dark)

    def plot_filters(self, ax: Axes | None = None, *, dark: bool = False) -> Axes:
        """Row AUROC of every semantic filter as a detector, of what is left on the rows it keeps, and after random
        removals of the same size. Parameters as of `plot_bags`.
        """
        return self._drawn("filters", ax, dark)

    def plot_features(self, ax: Axes | None = None, *, dark: bool = False) -> Axes:
        """Effects of the dozen features that differ most, in standard deviations of a row, to the right for more in the
        suspect. Parameters as of `plot_bags`.
        """
        return self._drawn("features", ax, dark)

    def _drawn(self, name: str, ax: Axes | None, dark: bool) -> Axes:
        from fingerprint.report.plots import plot

        return plot(name, self, ax, dark=dark)
