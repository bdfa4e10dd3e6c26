"""What scikit-learn asks of a transformer, without importing scikit-learn, which takes longer than all else here."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Self

from fingerprint.data.arrays import Ints, Strings
from fingerprint.features.family import Family, FeatureMatrix

if TYPE_CHECKING:
    from sklearn.utils import Tags


class Transformer(Family):
    """Base of the built-in families: a pipeline of scikit-learn takes them, `sklearn.base.clone` copies them.

    A subclass keeps each argument of its ``__init__`` under the argument's name, and has ``fit`` and ``transform``.
    """

    def fit(self, texts: Sequence[str], y: object = None) -> Self:
        """Learn columns and scales from the pooled rows."""
        raise NotImplementedError

    def transform(self, texts: Sequence[str]) -> FeatureMatrix:
        """A matrix [rows, columns], float32: row i from text i alone."""
        raise NotImplementedError

    def get_feature_names_out(self, input_features: object = None) -> Strings:
        """Names of all columns, as scikit-learn asks for them."""
        raise NotImplementedError

    def column_names(self, columns: Ints) -> list[str]:
        names = self.get_feature_names_out()
        return [str(names[column]) for column in columns]

    def unfitted(self) -> Self:
        return type(self)(**self.get_params())

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """The arguments that make another one like this, unfitted."""
        return {name: vars(self)[name] for name in self._arguments()}

    def set_params(self, **parameters: object) -> Self:
        """Set arguments of ``__init__`` by name."""
        unknown = sorted(parameters.keys() - self._arguments())
        if unknown:
            known = ", ".join(self._arguments()) or "none"
            raise ValueError(f"parameters must be among {known}, got {unknown[0]!r}; leave it out")
        vars(self).update(parameters)
        return self

    @classmethod
    def _arguments(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        return [name for name in signature(cls.__init__).parameters if name != "self"]

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({arguments})"

    def __sklearn_tags__(self) -> Tags:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(string=True, two_d_array=False, one_d_array=True),
        )
