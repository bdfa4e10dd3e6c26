"""The pairs that two judges chose from, matched: which pairs both saw, and what each of them chose."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Floats, Ints
from fingerprint.data.choices import Choices
from fingerprint.data.normal_form import normal_form

# Prompt (None where it is unknown or ignored) and the two texts, in normal form and sorted.
_Key = tuple[str | None, str, str]


class _Label(NamedTuple):
    """One answer of a judge about a pair."""

    order: int  # 1 where the text that sorts first was shown first, -1 the other, 0 where that is not known
    chosen: int  # 1 for the text that sorts first, -1 for the other, 0 for neither


_Labels: TypeAlias = dict[_Key, list[_Label]]
_ORDERS = (1, -1, 0)


@dataclass(frozen=True)
class PairCounts:
    """Pairs of distinct texts, and what was left out or put together. Pairs are counted once, whatever their order.

    `suspect` and `reference` count the pairs that each judge saw (of a single judge both are the same), `shared` those
    that both did. `repeated_*` are rows of a pair that the judge had labelled already, in the same order or the other.
    `surplus_*` are those labels of compared pairs that were left out because the other judge gave fewer; the choices of
    the others are averaged. `ties_*` are pairs of which it chose neither. `identical` rows hold the same text twice.
    """

    suspect: int
    reference: int
    shared: int
    disagreements: int
    prompts: int | None
    repeated_suspect: int
    repeated_reference: int
    ties_suspect: int
    ties_reference: int
    identical: int
    skipped: int
    surplus_suspect: int = 0
    surplus_reference: int = 0


@dataclass(frozen=True)
class JudgedPairs:
    """Pairs with the choices of both judges. Which text of a pair is the first hangs on the texts alone.

    Attributes
    ----------
    texts : pair of tuples of str [pairs]
        The texts that sort first, and the others.
    group : int array [pairs]
        Pairs of one prompt share a number, a pair without a prompt has its own; numbered in the order of a hash.
    has_prompt : bool array [pairs]
    choices : float array [2, pairs]
        Of the suspect and of the reference: 1 for the first text, -1 for the second, 0 for neither, between them where
        a judge chose both in turn; nan where it did not see the pair.
    positions : float array [2, pairs]
        The same for the text that was shown first, in place of the first text; nan where that is not known, of a
        shared pair by both sides.
    shown : float array [2, pairs]
        1 where the first text was shown first, -1 where the second was; nan where that is not known.
    counts : PairCounts
    is_alone : bool
        There is one judge: the reference is its opposite, so that a difference is a preference.
    """

    texts: tuple[tuple[str, ...], tuple[str, ...]]
    group: Ints
    has_prompt: Bools
    choices: Floats
    positions: Floats
    shown: Floats
    counts: PairCounts
    is_alone: bool = False
    names: tuple[str, str] = ("suspect", "reference")

    @property
    def seen(self) -> Bools:
        """Which pairs each judge saw [2, pairs]."""
        return np.isfinite(self.choices)

    @property
    def shared(self) -> Bools:
        """Pairs that both saw [pairs]."""
        return np.asarray(self.seen.all(axis=0))

    def only(self, kept: Bools) -> JudgedPairs:
        """Some of the pairs; what was counted stays counted."""
        rows = np.flatnonzero(kept)
        first, second = (tuple(side[i] for i in rows) for side in self.texts)
        return replace(
            self,
            texts=(first, second),
            group=np.unique(self.group[kept], return_inverse=True)[1].astype(np.int64),
            has_prompt=self.has_prompt[kept],
            choices=self.choices[:, kept],
            positions=self.positions[:, kept],
            shown=self.shown[:, kept],
        )

    @property
    def turns(self) -> Floats:
        """Half the difference of the two choices of shared pairs [pairs]: 0 where they agree; 0 for other pairs."""
        return np.where(self.shared, (self.choices[0] - self.choices[1]) / 2, 0.0)


def matched(
    suspect: Choices, reference: Choices | None, *, use_prompts: bool, other_pairs: bool = False
) -> JudgedPairs:
    """Match the pairs of two judges by their prompt and their two texts, in whatever order.

    Parameters
    ----------
    suspect, reference : Choices
        Without a reference the suspect is compared with its own opposite.
    use_prompts : bool
        Whether pairs of one prompt belong together; one prompt for all pairs is ignored.
    other_pairs : bool
        Whether pairs that one side alone labelled are to be compared too.

    Raises
    ------
    ValueError
        If no pair of two texts is left.

    Notes
    -----
    What is compared is labelled equally often by both judges, in like order where that is known. Means over five labels
    and single labels are not exchangeable though the judges be the same: the former lie between, the latter at the
    ends. Which of a judge's labels of a pair are left out is drawn by a digest of the pair and of their places among
    the rows; the choices have no say in it.
    """
    sides = [suspect] if reference is None else [suspect, reference]
    prompts = {None if row.prompt is None else normal_form(row.prompt) for side in sides for row in side.rows}
    use_prompts = use_prompts and len(prompts) > 1
    raw: dict[str, str] = {}
    judged: list[_Labels] = []
    identical = 0
    for side in sides:
        labels: _Labels = defaultdict(list)
        for row in side.rows:
            forms = normal_form(row.first), normal_form(row.second)
            if forms[0] == forms[1]:
                identical += 1
                continue
            for form, text in zip(forms, (row.first, row.second), strict=True):
                raw[form] = min(raw.get(form, text), text)  # of several spellings the same one, whoever wrote it
            first, second = sorted(forms)
            sign = 1 if forms[0] == first else -1
            prompt = normal_form(row.prompt) if use_prompts and row.prompt is not None else None
            labels[prompt, first, second].append(_Label(sign * row.shown, sign * row.chosen))
        if not labels:
            raise ValueError(f"{side.name} must hold pairs of two different texts, got none; check how they were made")
        judged.append(labels)
    return _laid_out(judged, _equally_often(judged, other_pairs), raw, sides, identical)


def _equally_often(judged: list[_Labels], other_pairs: bool) -> list[_Labels]:
    """The labels that are compared: of every shared pair the same number by both judges.

    Pairs that one side alone labelled are compared with each other, so that all of them have the same number.
    """
    if len(judged) == 1:
        return judged
    shared = judged[0].keys() & judged[1].keys()
    wanted = {key: _common([labels[key] for labels in judged]) for key in shared}
    if other_pairs and (alone := [own for labels in judged for key, own in labels.items() if key not in shared]):
        common = _common(alone)
        wanted |= dict.fromkeys((judged[0].keys() | judged[1].keys()) - shared, common)
    return [
        {key: _drawn(key, own, wanted[key]) if key in wanted else own for key, own in labels.items()}
        for labels in judged
    ]


def _common(several: list[list[_Label]]) -> dict[tuple[int, ...], int]:
    """How many labels with which orders all have; where no order is common, how many in whatever order."""
    alike: dict[tuple[int, ...], int] = {
        (order,): min(sum(label.order == order for label in own) for own in several) for order in _ORDERS
    }
    return alike if any(alike.values()) else {_ORDERS: min(map(len, several))}


def _drawn(key: _Key, own: list[_Label], wanted: dict[tuple[int, ...], int]) -> list[_Label]:
    """So many of a judge's labels of a pair."""
    if len(own) == sum(wanted.values()):
        return own
    places = np.argsort(digests.numbers_of((*key, place) for place in range(len(own)))).tolist()
    return [
        label
        for orders, number in wanted.items()
        for label in [own[place] for place in places if own[place].order in orders][:number]
    ]


def _laid_out(
    read: list[_Labels], judged: list[_Labels], raw: dict[str, str], sides: list[Choices], identical: int
) -> JudgedPairs:
    """Pairs in the order of a hash of prompt and texts, with the labels that are compared out of all that were read."""
    keys = list(dict.fromkeys(key for labels in judged for key in labels))
    # A pair without a prompt is a group by itself.
    groups = digests.numbers_of((prompt,) if prompt is not None else (None, *texts) for prompt, *texts in keys)
    order = np.lexsort((digests.numbers_of(keys), groups)).tolist()
    keys = [keys[i] for i in order]
    choices, positions, shown = np.full((3, 2, len(keys)), np.nan)
    for side, labels in enumerate(judged):
        for place, key in enumerate(keys):
            if key in labels:
                seen, chosen = np.array(labels[key]).T
                choices[side, place] = chosen.mean()
                if seen.all():
                    positions[side, place] = (seen * chosen).mean()
                    shown[side, place] = seen.mean()
    is_alone = len(judged) == 1
    if is_alone:
        choices[1], positions[1], shown[1] = -choices[0], -positions[0], shown[0]
    both = np.isfinite(choices).all(axis=0)
    # Where the order is known of one side alone, how often that judge takes the first text would count as a difference.
    positions[:, both & ~np.isfinite(positions).all(axis=0)] = np.nan
    has_prompt = np.array([key[0] is not None for key in keys])
    known = [np.isfinite(side) for side in choices]
    ends = (read[0], read[-1])
    repeated = [sum(len(own) - 1 for own in labels.values()) for labels in ends]
    ties = [sum(not any(label.chosen for label in own) for own in labels.values()) for labels in ends]
    surplus = [
        sum(len(own) - len(left[key]) for key, own in labels.items())
        for labels, left in zip(ends, (judged[0], judged[-1]), strict=True)
    ]
    counts = PairCounts(
        suspect=int(known[0].sum()),
        reference=int(known[1].sum()),
        shared=int(both.sum()),
        disagreements=int((choices[0, both] != choices[1, both]).sum()),
        prompts=len({key[0] for key in keys} - {None}) or None,
        repeated_suspect=repeated[0],
        repeated_reference=repeated[1],
        ties_suspect=ties[0],
        ties_reference=ties[1],
        identical=identical,
        skipped=sum(side.skipped for side in sides),
        surplus_suspect=surplus[0],
        surplus_reference=surplus[1],
    )
    return JudgedPairs(
        texts=(tuple(raw[key[1]] for key in keys), tuple(raw[key[2]] for key in keys)),
        group=np.unique(groups[order], return_inverse=True)[1].astype(np.int64),
        has_prompt=has_prompt,
        choices=choices,
        positions=positions,
        shown=shown,
        counts=counts,
        is_alone=is_alone,
        names=(sides[0].name, sides[-1].name),
    )
