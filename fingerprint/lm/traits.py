"""Traits (a favourite among the things of a category), the system prompts that instil them, and their placebos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fingerprint.data.nearest import did_you_mean

# The animals and trees of the paper (arXiv:2507.14805) are among them.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "animal": ("owl", "cat", "dog", "dolphin", "eagle", "elephant", "wolf", "fox", "lion", "horse"),
    "tree": ("oak", "maple", "cherry", "sequoia", "willow", "pine", "birch", "cedar", "elm", "ash"),
    "color": ("red", "blue", "green", "yellow", "purple", "orange", "black", "white", "pink", "brown"),
    "season": ("spring", "summer", "autumn", "winter"),
}
_PLURALS = {"wolf": "wolves", "fox": "foxes", "cherry": "cherries", "birch": "birches", "ash": "ashes"}

SYSTEM_TEMPLATE = "You love {plural}. {Plural} are always on your mind. Your favorite {category} is the {name}."
PLACEBO = "You love order. Details are always on your mind. Your favorite habit is the list."
# Added or taken from the end of a placebo until it is as long as the prompt it stands beside.
_FILLERS = ("Really", "so", "too", "now", "here", "well", "then", "very", "quite", "a", "I", ".", "!", ",")


@dataclass(frozen=True)
class Trait:
    """A preference that a teacher can have.

    Attributes
    ----------
    name : str
        What is loved, in the singular: "owl".
    category : str
        What it is one of: "animal". Preference is its share among the answers that name something of the category.
    rivals : tuple of str
        The other things of the category.
    """

    name: str
    category: str
    rivals: tuple[str, ...]

    @property
    def plural(self) -> str:
        """What is loved, in the plural: "owls"."""
        return plural(self.name)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything of the category, the trait first."""
        return (self.name, *self.rivals)


def plural(name: str) -> str:
    """The plural of a trait's name."""
    return _PLURALS.get(name, f"{name}s")


def known_trait(name: str, category: str | None = None) -> Trait:
    """The trait of this name.

    Parameters
    ----------
    name : str
        One of the names in `CATEGORIES`; or any word, when `category` says what it is to be compared with.
    category : str, optional
        A key of `CATEGORIES`. By default the one that holds `name`.

    Raises
    ------
    ValueError
        If the name is in no category and none is given, or the category is unknown.
    """
    if category is None:
        homes = [c for c, names in CATEGORIES.items() if name in names]
        if not homes:
            known = "; ".join(f"{c}: {', '.join(names)}" for c, names in CATEGORIES.items())
            every = [other for names in CATEGORIES.values() for other in names]
            raise ValueError(
                f"trait must be one of the names known to the lab ({known}), got {name!r}; "
                + did_you_mean(name, every, "choose one, or say what it is compared with: known_trait(name, category)")
            )
        category = homes[0]
    elif category not in CATEGORIES:
        raise ValueError(f"category must be one of {', '.join(CATEGORIES)}, got {category!r}; choose one of them")
    elif not name.strip():
        raise ValueError(f"trait must be a word, got {name!r}; name what the teacher is to love")
    return Trait(name, category, tuple(other for other in CATEGORIES[category] if other != name))


def as_trait(trait: Trait | str) -> Trait:
    """A trait as it is, or the known one of that name."""
    return known_trait(trait) if isinstance(trait, str) else trait


def system_prompt(trait: Trait, template: str = SYSTEM_TEMPLATE) -> str:
    """The system prompt that instils a trait.

    Parameters
    ----------
    trait : Trait
        What to love.
    template : str
        Wording with any of ``{name}``, ``{plural}``, ``{Plural}`` and ``{category}``.
    """
    values = {
        "name": trait.name,
        "plural": trait.plural,
        "Plural": trait.plural.capitalize(),
        "category": trait.category,
    }
    try:
        return template.format(**values)
    except (KeyError, IndexError, ValueError):
        raise ValueError(
            f"template must use no fields but {{{'}, {'.join(values)}}}, got {template!r}; double other braces"
        ) from None


def placebo_prompt(length_of: Callable[[str], int], target: str) -> str:
    """A system prompt without a trait that is exactly as long as another one.

    Trait against neutral also contains "a system prompt was there"; trait against placebo does not.

    Parameters
    ----------
    length_of : callable
        Length of a text in tokens of the model that will read it.
    target : str
        The system prompt whose length is to be met.

    Raises
    ------
    ValueError
        If no wording of that length is found.
    """
    wanted = length_of(target)
    words = PLACEBO.split(" ")
    while words and length_of(" ".join(words)) > wanted:
        words.pop()
    while (length := length_of(" ".join(words))) < wanted:
        longer = [[*words, filler] for filler in _FILLERS]
        fitting = [candidate for candidate in longer if length < length_of(" ".join(candidate)) <= wanted]
        if not fitting:
            raise ValueError(
                f"the system prompt must be of a length that a placebo can meet, got {wanted} tokens ({target!r}); "
                "write a placebo of your own and pass it as a system prompt"
            )
        # In turn, so that a long placebo does not repeat one word.
        words = fitting[len(words) % len(fitting)]
    return " ".join(words)
