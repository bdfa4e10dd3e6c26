"""Corpora (texts, the prompt each text answers, the system message that was there) and how two of them are paired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import comb

import numpy as np

from fingerprint.data import digests
from fingerprint.data.arrays import Bools, Hashes, Ints


@dataclass(frozen=True)
class Corpus:
    """Rows of one arm, in the order they were read.

    Parameters
    ----------
    texts : tuple of str
        The model-written text of each row.
    prompts : tuple of str or None, optional
        The prompt (user turns, without the system message) each text answers; None where unknown.
    systems : tuple of str or None, optional
        The system message of each row. Kept and shown, never used to pair rows.
    name : str
        What to call the corpus in messages: usually the path it was read from.
    skipped : int
        Bad rows left out because the caller asked for it (`bad_rows="skip"`).
    """

    texts: tuple[str, ...]
    prompts: tuple[str | None, ...] = field(default=())
    systems: tuple[str | None, ...] = field(default=())
    name: str = "corpus"
    skipped: int = 0

    def __post_init__(self) -> None:
        for column in ("prompts", "systems"):
            values = getattr(self, column)
            if not values:
                object.__setattr__(self, column, (None,) * len(self.texts))
            elif len(values) != len(self.texts):
                raise ValueError(
                    f"{column} must have one entry per text, got {len(values)} for {len(self.texts)} texts in "
                    f"{self.name}; use None where it is unknown"
                )
        for column in ("texts", "prompts", "systems"):
            self._check_encodable(column)

    def _check_encodable(self, column: str) -> None:
        values = getattr(self, column)
        try:
            "".join(value for value in values if value is not None).encode()
        except UnicodeEncodeError:
            for row, value in enumerate(values):
                if value is not None and any("\ud800" <= sign <= "\udfff" for sign in value):
                    raise ValueError(
                        f"{column} must be encodable as UTF-8, got a lone surrogate in row index {row} of {self.name}; "
                        "replace it, for example by text.encode('utf-8', 'replace').decode()"
                    ) from None

    def __len__(self) -> int:
        return len(self.texts)

    def only(self, rows: Bools | Ints, name: str | None = None) -> Corpus:
        """Some of the rows, by a mask or by their numbers, under another name if one is given."""
        at = np.arange(len(self))[rows].tolist()
        texts, prompts, systems = (tuple(values[i] for i in at) for values in (self.texts, self.prompts, self.systems))
        return Corpus(texts, prompts, systems, name=self.name if name is None else name)

    def every_prompt(self, argument: str | None = None) -> list[str]:
        """The prompts, if every row has one: what a model needs. `argument` is the one that called for them."""
        missing = next((row for row, prompt in enumerate(self.prompts) if prompt is None), None)
        if missing is not None:
            when = "" if argument is None else f" when {argument} is given"
            remedy = "" if argument is None else f", or leave {argument} out"
            raise ValueError(
                f"{self.name} must have the prompt that each row answers{when}, got none in row {missing + 1}; "
                f"a model scores and learns completions of prompts: add a column prompt{remedy}"
            )
        return [prompt for prompt in self.prompts if prompt is not None]

    @cached_property
    def digest(self) -> str:
        """Hash of the rows, whatever their order: 32 hex digits."""
        total = 0
        for row in zip(self.texts, self.prompts, self.systems, strict=True):
            total += digests.number(repr(row), 16)
        return f"{total % (1 << 128):032x}"


# Fewer shared prompts than this are not enough to pair on.
MIN_SHARED = 20
# Groups go to at most this many blocks: enough for any alpha in use, few enough that a permutation costs nothing.
MAX_BLOCKS = 512
# Fewer independent units a side than this allow neither cross-fitting nor an interval.
MIN_GROUPS = 10
# Block means of prompts with many rows vary less than those of prompts with few, so blocks are exchangeable only if
# both arms draw their rows per prompt alike: the Kolmogorov-Smirnov p-value of the sizes must be above, and the ratio
# of their means below. (With 2,000 prompts of 1 or 2 rows against 200 of 1, a ratio of 1.24, the error rate was .09.)
SAME_SIZES_PVALUE = 0.1
SAME_SIZES_RATIO = 1.02
# Blocks of the smaller arm, where it has as many groups; a far larger arm then leaves rows unused instead.
MIN_BLOCKS = 40



@dataclass(frozen=True)
class Comparison:
    """Two corpora laid out for testing, in an order that says nothing about the arm a row is from.

    Attributes
    ----------
    texts : list of str
        Pooled rows, ordered by a hash of (prompt, text, occurrence): the order in the files never matters.
    suspect : bool array [rows]
        Which rows are from the suspect corpus.
    origin : int array [rows]
        Index of each row in its own corpus.
    group : int array [rows]
        The prompt each row answers; a row without a prompt is a group of its own.
    kind : "shared", "disjoint" or "independent"
        How prompts relate the arms.
    block : int array [rows]
        Block of each row in the p-value; -1 for a row the p-value does not use.
    block_suspect : bool array [blocks]
        Arm of each block (all True in a shared design, where a block holds both arms).
    """

    texts: list[str]
    suspect: Bools
    origin: Ints
    group: Ints
    kind: str
    block: Ints
    block_suspect: Bools
    prompts: tuple[set[str], set[str]]
    ignored_prompts: bool = False

    @property
    def n_blocks(self) -> int:
        return len(self.block_suspect)

    @property
    def used(self) -> Bools:
        """Rows that enter the p-value."""
        return self.block >= 0

    @property
    def distinct_permutations(self) -> float:
        """How many different statistics relabelling can give (a float: it overflows integers)."""
        n = self.n_blocks
        if self.kind == "shared":
            return 2.0 ** min(n - 1, 1000)
        n_suspect = int(self.block_suspect.sum())
        return float(comb(n, n_suspect)) if n < 1000 else float("inf")

    def pairs(self) -> tuple[Ints, Ints]:
        """Suspect and reference rows of a shared design that are paired: the i-th of both answer the same prompt."""
        sides = [np.flatnonzero(self.used & arm) for arm in (self.suspect, ~self.suspect)]
        suspect, reference = (rows[np.argsort(self.group[rows], kind="stable")] for rows in sides)
        return suspect, reference

    def only(self, rows: Bools) -> Comparison:
        """The same comparison with fewer rows; blocks that lost all their rows are gone."""
        block = self.block[rows]
        kept, number = np.unique(block[block >= 0], return_inverse=True)
        block = block.copy()
        block[block >= 0] = number
        texts = [text for text, keep in zip(self.texts, rows, strict=True) if keep]
        group = np.unique(self.group[rows], return_inverse=True)[1].astype(np.int64)
        return replace(
            self,
            texts=texts,
            suspect=self.suspect[rows],
            origin=self.origin[rows],
            group=group,
            block=block,
            block_suspect=self.block_suspect[kept],
        )

    def swapped(self, rng: np.random.Generator) -> Comparison:
        """A null of the shared design: both sides of a prompt change places, prompt by prompt at random."""
        flip = rng.integers(0, 2, size=int(self.group.max()) + 1).astype(bool)
        return replace(self, suspect=self.suspect ^ (flip[self.group] & self.used))

    def split(self, rng: np.random.Generator) -> Comparison:
        """A null without shared prompts: all groups at hand, divided into two halves at random."""
        half = rng.permutation(int(self.group.max()) + 1) % 2 == 0
        suspect = half[self.group]
        salts = (str(rng.integers(2**62)), str(rng.integers(2**62)))
        block, block_suspect = _separate_blocks(self.group, suspect, salts, ("half of the reference",) * 2)
        return replace(self, suspect=suspect, block=block, block_suspect=block_suspect)


def thin(comparison: Comparison, rows: int) -> Comparison:
    """At most `rows` rows a side, by fewer rows a prompt first and fewer prompts then; itself if it fits.

    Rows of the p-value are kept before others. All prompts are cut to the same number of rows, so that prompts and
    blocks stay exchangeable.
    """
    keep = thinned_rows(comparison, rows)
    return comparison if keep.all() else comparison.only(keep)


def thinned_rows(comparison: Comparison, rows: int) -> Bools:
    """Which rows `thin` keeps."""
    suspect = comparison.suspect
    arms = (suspect, ~suspect)
    if max(int(arm.sum()) for arm in arms) <= rows:
        return np.ones(len(suspect), dtype=bool)
    used = comparison.used
    rank = np.full(len(suspect), np.iinfo(np.int64).max)
    rank[used] = _rank_within((comparison.group * 2 + suspect)[used])
    deepest = int(rank[used].max()) + 1
    fits = [m for m in range(1, deepest + 1) if max(int((arm & (rank < m)).sum()) for arm in arms) <= rows]
    keep = used & (rank < max(fits, default=1))
    for arm in arms:
        mine = np.flatnonzero(arm & keep)
        last = mine[np.lexsort((comparison.group[mine], comparison.block[mine]))][rows:]
        if comparison.kind == "shared":
            keep[last] = False  # one row a prompt is left, and prompts come in the same order on both sides
        else:
            keep &= ~(arm & np.isin(comparison.block, comparison.block[last]))  # a block goes whole
        others = np.flatnonzero(arm & ~used)
        keep[others[: max(rows - int((arm & keep).sum()), 0)]] = True
    return keep


def survivors(comparison: Comparison, keep: Bools, seed: int = 0) -> Comparison:
    """The comparison of the rows that a filter keeps, its design made anew from them.

    A shared design pairs the prompts that have rows left on both sides; otherwise the groups that are left are dealt to
    blocks again. Blocks of the whole comparison will not do: after a filter their sides differ in size.

    Raises
    ------
    ValueError
        If fewer than `MIN_GROUPS` groups a side, or `MIN_SHARED` shared prompts, are left.
    """
    kept = comparison.only(keep)
    groups = [set(kept.group[arm].tolist()) for arm in (kept.suspect, ~kept.suspect)]
    if min(map(len, groups)) < MIN_GROUPS:
        found = f"{len(groups[0])} of the suspect and {len(groups[1])} of the reference"
        raise ValueError(f"survivors must be at least {MIN_GROUPS} independent rows or prompts a side, got {found}")
    if kept.kind == "shared":
        left = len(groups[0] & groups[1])
        if left < MIN_SHARED:
            raise ValueError(f"survivors must share at least {MIN_SHARED} prompts, got {left} with rows on both sides")
        block, block_suspect = _shared_blocks(kept.group, kept.suspect, np.ones(len(kept.group), dtype=bool))
    else:
        # Salted by what the arms hold, so that blocks are numbered alike whichever side is the suspect.
        arms = (kept.suspect, ~kept.suspect)
        texts = ([text for text, mine in zip(kept.texts, arm, strict=True) if mine] for arm in arms)
        salts = tuple(f"{seed} {_hash(*arm)}" for arm in texts)
        block, block_suspect = _separate_blocks(
            kept.group, kept.suspect, (salts[0], salts[1]), ("suspect survivors", "reference survivors")
        )
    return replace(kept, block=block, block_suspect=block_suspect)


def pair(suspect: Corpus, reference: Corpus, *, use_prompts: bool = True, seed: int = 0) -> Comparison:
    """Choose the design, thin and block the rows.

    Shared prompts (at least `MIN_SHARED`): rows per prompt are thinned to equal counts on both sides, and a block holds
    both sides of its prompts. Otherwise blocks hold the same number of prompts (or rows, without prompts) of one arm;
    unless both arms draw their rows per prompt alike, every prompt then gives as many rows as the smallest has.

    Raises
    ------
    ValueError
        If a corpus has fewer than `MIN_GROUPS` independent units.
    """
    same_single = len(set(suspect.prompts) | set(reference.prompts)) == 1
    use_prompts = use_prompts and not same_single  # one prompt for all rows: given it, the rows are independent
    digests = (suspect.digest, reference.digest)
    rows = _pooled_rows(suspect, reference, use_prompts, digests)
    order = np.argsort(rows.key, kind="stable")
    group = np.unique(rows.group_key[order], return_inverse=True)[1].astype(np.int64)
    is_suspect, has_prompt = rows.suspect[order], rows.has_prompt[order]
    known = (_known(suspect, use_prompts), _known(reference, use_prompts))
    if len(known[0] & known[1]) >= MIN_SHARED:
        kind = "shared"
        block, block_suspect = _shared_blocks(group, is_suspect, has_prompt)
    else:
        kind = "disjoint" if known[0] or known[1] else "independent"
        salts = (f"{seed} {digests[0]}", f"{seed} {digests[1]}")
        block, block_suspect = _separate_blocks(group, is_suspect, salts, (suspect.name, reference.name))
    texts = [(suspect.texts if s else reference.texts)[i] for s, i in zip(is_suspect, rows.origin[order], strict=True)]
    return Comparison(
        texts, is_suspect, rows.origin[order], group, kind, block, block_suspect, known, ignored_prompts=same_single
    )


@dataclass(frozen=True)
class _Rows:
    key: Hashes
    group_key: Hashes
    suspect: Bools
    origin: Ints
    has_prompt: Bools


def _pooled_rows(suspect: Corpus, reference: Corpus, use_prompts: bool, digests: tuple[str, str]) -> _Rows:
    keys, group_keys, has_prompt = [], [], []
    # A row without a prompt is a group of its own corpus, named by its digest: the same whichever side is the suspect.
    owners = digests if digests[0] != digests[1] else ("first", "second")
    for corpus, owner in zip((suspect, reference), owners, strict=True):
        seen: Counter[tuple[str | None, str]] = Counter()
        for text, known_prompt in zip(corpus.texts, corpus.prompts, strict=True):
            prompt = known_prompt if use_prompts else None
            occurrence = seen[prompt, text]
            seen[prompt, text] += 1
            keys.append(_hash(prompt, text, occurrence))
            group_keys.append(_hash(prompt) if prompt is not None else _hash(text, occurrence, owner))
            has_prompt.append(prompt is not None)
    arms = np.repeat([True, False], [len(suspect), len(reference)])
    origin = np.concatenate([np.arange(len(suspect)), np.arange(len(reference))])
    as_keys = (np.array(keys, dtype=np.uint64), np.array(group_keys, dtype=np.uint64))
    return _Rows(*as_keys, arms, origin, np.array(has_prompt, dtype=bool))


def _hash(*parts: object) -> int:
    return digests.number(repr(parts))


def _known(corpus: Corpus, use_prompts: bool) -> set[str]:
    return {prompt for prompt in corpus.prompts if prompt is not None} if use_prompts else set()


def _shared_blocks(group: Ints, suspect: Bools, has_prompt: Bools) -> tuple[Ints, Bools]:
    """Equal counts per prompt on both sides; the rows kept are first by hash, which is random within a prompt."""
    n_groups = int(group.max()) + 1
    per_arm = [np.bincount(group[arm], minlength=n_groups) for arm in (suspect, ~suspect)]
    keep = np.minimum(*per_arm)
    used = has_prompt & (_rank_within(group * 2 + suspect) < keep[group])
    block = np.full(len(group), -1, dtype=np.int64)
    shared = np.unique(group[used])  # groups are numbered in hash order
    number = shared if len(shared) <= MAX_BLOCKS else np.arange(len(shared)) * MAX_BLOCKS // len(shared)
    block[used] = np.unique(number, return_inverse=True)[1][np.searchsorted(shared, group[used])]
    return block, np.ones(int(block.max()) + 1, dtype=bool)


def _rank_within(label: Ints) -> Ints:
    """0, 1, 2, ... for the first, second, third, ... row of each label, in the order of the rows."""
    order = np.argsort(label, kind="stable")
    ordered = label[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(label), dtype=np.int64)
    rank[order] = np.arange(len(label)) - np.repeat(first, np.diff(np.r_[first, len(label)]))
    return rank


def _separate_blocks(group: Ints, suspect: Bools, salts: tuple[str, str], names: tuple[str, str]) -> tuple[Ints, Bools]:
    """Blocks of the same number of groups in both arms, in a seeded order; what does not fill a block is left out."""
    arms = (suspect, ~suspect)
    groups = [np.unique(group[arm]) for arm in arms]
    for found, name in zip(groups, names, strict=True):
        if len(found) < MIN_GROUPS:
            raise ValueError(too_small(name, len(found)))
    smaller = min(map(len, groups))
    per_block = min(-(-sum(map(len, groups)) // MAX_BLOCKS), max(1, smaller // MIN_BLOCKS))
    block = np.full(len(group), -1, dtype=np.int64)
    n_blocks: list[int] = []
    order = sorted((0, 1), key=lambda side: salts[side])  # blocks are numbered alike whichever side is the suspect
    for side in order:
        arm, found = arms[side], groups[side]
        shuffled = np.random.default_rng(_hash(salts[side])).permutation(len(found))
        count = min(len(found) // per_block, MAX_BLOCKS - smaller // per_block)
        place = np.full(len(found), -1, dtype=np.int64)
        place[shuffled[: count * per_block]] = sum(n_blocks) + np.arange(count * per_block) // per_block
        block[arm] = place[np.searchsorted(found, group[arm])]
        n_blocks.append(count)
    sizes = [np.unique(group[arm], return_counts=True)[1] for arm in arms]
    if not _same_law(sizes[0], sizes[1]):
        block[_rank_within(group * 2 + suspect) >= min(int(size.min()) for size in sizes)] = -1
    return block, np.repeat([side == 0 for side in order], n_blocks)


def _same_law(a: Ints, b: Ints) -> bool:
    """Whether both arms draw their rows per prompt alike, as far as can be seen."""
    if a.min() == a.max() == b.min() == b.max():
        return True
    from scipy.stats import ks_2samp

    ratio = max(a.mean(), b.mean()) / min(a.mean(), b.mean())
    return bool(ratio <= SAME_SIZES_RATIO and ks_2samp(a, b, method="asymp").pvalue > SAME_SIZES_PVALUE)


def prompt_groups(prompts: Sequence[str | None]) -> Ints:
    """Group of each row, numbered as they come: rows of one prompt share one, a row without a prompt has its own."""
    numbers: dict[object, int] = {}
    keys = (row if prompt is None else prompt for row, prompt in enumerate(prompts))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def n_prompts(corpus: Corpus) -> int:
    """Prompts of a corpus; a row without one counts by itself."""
    return int(prompt_groups(corpus.prompts).max(initial=-1)) + 1


def joined(corpora: Sequence[Corpus], name: str) -> Corpus:
    """Rows of several corpora as one, one corpus after another."""
    return Corpus(
        tuple(text for corpus in corpora for text in corpus.texts),
        tuple(prompt for corpus in corpora for prompt in corpus.prompts),
        tuple(system for corpus in corpora for system in corpus.systems),
        name=name,
    )


class RowError(ValueError):
    """A row that a model cannot take.

    Parameters
    ----------
    message : str
        With ``{row}`` where the row is named.
    row : int
        Its index among the rows that were given.
    hint : str
        What else whoever gave these rows themselves can do about it.
    """

    def __init__(self, message: str, row: int, hint: str = "") -> None:
        super().__init__(message.replace("{row}", f"row {row + 1}", 1) + hint)
        self.message, self.row, self.hint = message, row, hint

    def moved(self, row: int) -> RowError:
        """The same of a row that the caller knows under another index."""
        return RowError(self.message, row, self.hint)


@contextmanager
def rows_named(corpora: Sequence[Corpus], places: Sequence[Ints] | None = None, first: int = 0) -> Iterator[None]:
    """Errors of rows as rows of the corpora that they are from.

    `places` are those of `distinct_rows`, of which the rows at hand start with number `first`; without them the rows at
    hand are those of each corpus as they stand.
    """
    places = [np.arange(len(corpus)) for corpus in corpora] if places is None else places
    try:
        yield
    except RowError as error:
        for corpus, place in zip(corpora, places, strict=True):
            rows = np.flatnonzero(place == first + error.row)
            if len(rows):
                known = error.message.replace("{row}", f"row {rows[0] + 1} of {corpus.name}", 1)
                raise ValueError(known) from error
        raise


def distinct_rows(corpora: Sequence[Corpus]) -> tuple[Corpus, list[Ints]]:
    """Every prompt with its text once, and for each corpus where its rows are among these.

    For models to read: what rounding does to a row hangs on the rows it shares a batch with. Read once, in an order
    that says nothing about the corpus a row is from, equal rows get equal scores, and others a rounding that is blind
    to the side. System messages are left out.
    """
    rows = [
        [(prompt is None, prompt or "", text) for prompt, text in zip(corpus.prompts, corpus.texts, strict=True)]
        for corpus in corpora
    ]
    distinct = sorted(set().union(*rows))
    place = {row: number for number, row in enumerate(distinct)}
    prompts = tuple(None if is_none else prompt for is_none, prompt, _ in distinct)
    whole = Corpus(tuple(text for _, _, text in distinct), prompts, name="the corpora")
    return whole, [np.array([place[row] for row in part], dtype=np.int64) for part in rows]


def too_small(name: str, n_groups: int) -> str:
    return (
        f"{name} must hold at least {MIN_GROUPS} independent rows or prompts, got {n_groups}; sample more rows, "
        "answering more prompts (or ignore the prompts, if rows of one prompt are independent)"
    )
