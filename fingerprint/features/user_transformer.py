"""A scikit-learn transformer of the user's as a feature family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, TypeGuard

from fingerprint.data.arrays import Ints
from fingerprint.features.family import DEFAULT_RIDGE, Family, FeatureMatrix


class TextTransformer(Protocol):
    """What has to be there: scikit-learn's `fit` and `transform`, of texts."""

    def fit(self, texts: Sequence[str]) -> Self: ...

    def transform(self, texts: Sequence[str]) -> FeatureMatrix: ...


def is_transformer(value: object) -> TypeGuard[TextTransformer]:
    """Whether an object is a transformer; scikit-learn's own may take methods back by what they were set up with."""
    return hasattr(value, "fit") and hasattr(value, "transform")


class UserTransformer(Family):
    """The transformer, with the defaults of a family for what it does not say.

    Parameters
    ----------
    transformer : scikit-learn transformer
        Cloned: fitting it here does not change the user's.
    """

    def __init__(self, transformer: TextTransformer) -> None:
        from sklearn.base import clone

        self.transformer: TextTransformer = clone(transformer)

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        self.transformer = self.transformer.fit(texts)
        # Optional attributes of a class that is not ours.
        self.ridge = getattr(self.transformer, "ridge", DEFAULT_RIDGE)
        self.column_weights = getattr(self.transformer, "column_weights", None)
        return self

    def transform(self, texts: Sequence[str]) -> FeatureMatrix:
        return self.transformer.transform(texts)

    def unfitted(self) -> Self:
        return type(self)(self.transformer)

    def column_names(self, columns: Ints) -> list[str]:
        try:
            names = self.transformer.get_feature_names_out()  # type: ignore[attr-defined]
        except (AttributeError, ValueError):  # a transformer without names, or a pipeline that ends in one
            return super().column_names(columns)
        return [str(names[column]) for column in columns]

    def __repr__(self) -> str:
        return repr(self.transformer)
