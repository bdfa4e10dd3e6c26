"""Feature families: from texts to columns, blind to which corpus a text is from.

What a family is, stands in `fingerprint.features.family`. Any scikit-learn transformer of texts serves as one: two of
its attributes are read when present, ``ridge`` (added to each column's pooled variance before scaling, default
`DEFAULT_RIDGE`) and ``column_weights`` (one factor a column, after scaling); ``get_feature_names_out()`` names columns
in the report.
"""

from fingerprint.features.choice import FAMILIES, GENERAL, KindCounts, choose, data_kind
from fingerprint.features.code import Code
from fingerprint.features.family import DEFAULT_RIDGE, Family
from fingerprint.features.layout import Layout
from fingerprint.features.ngrams import NGrams
from fingerprint.features.numbers import Numbers
from fingerprint.features.prose import Prose
from fingerprint.features.reasoning import Reasoning
from fingerprint.features.syntax import Syntax
from fingerprint.features.templates import Templates
from fingerprint.features.tokens import Tokens

__all__ = [
    "DEFAULT_RIDGE",
    "FAMILIES",
    "GENERAL",
    "Code",
    "Family",
    "KindCounts",
    "Layout",
    "NGrams",
    "Numbers",
    "Prose",
    "Reasoning",
    "Syntax",
    "Templates",
    "Tokens",
    "choose",
    "data_kind",
]
