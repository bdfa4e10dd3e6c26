"""What all results have in common: frozen, written as JSON that follows a published schema, and read back as equal."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Self

from fingerprint.data.files import write_atomically
from fingerprint.report.encoding import JsonObject, decode_record, encode_record


@dataclass(frozen=True, eq=False)
class Result:
    """Base of everything that a public function returns as its finding.

    A subclass is a dataclass with ``frozen=True, eq=False``, whose type hints say how it is written, and names its
    schema: the file ``schemas/<schema_name>.schema.json``.

    Notes
    -----
    JSON holds floats to 10 significant digits, and null for what is not finite. Two results are equal when they are
    written alike, so that one which was read back equals the one that was written.
    """

    schema_version: ClassVar[int] = 1
    schema_name: ClassVar[str]

    def to_dict(self) -> JsonObject:
        """The result as JSON values: the keys of `json_schema`, floats to 10 significant digits."""
        return {"schema_version": self.schema_version, **encode_record(self)}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The result as JSON text, also written to `path` where one is given.

        The text is plain ASCII (anything else is escaped), and the file is never half-written.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=True, allow_nan=False)
        if path is not None:
            write_atomically(path, text + "\n")
        return text

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Inverse of `to_dict`.

        Raises
        ------
        ValueError
            If `data` is of another schema version, lacks a key, has an unknown one, or holds a wrong type.
        """
        if not isinstance(data, dict):
            raise ValueError(
                f"data must be a JSON object, got {type(data).__name__}; write it with {cls.__name__}.to_json"
            )
        version = data.get("schema_version")
        if version != cls.schema_version:
            raise ValueError(
                f"schema_version must be {cls.schema_version}, got {version!r}; read it with the release that wrote it"
            )
        body = {key: value for key, value in data.items() if key != "schema_version"}
        return decode_record(cls, body, cls.schema_name)

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """Read a result from a JSON file, or from JSON text (a string that starts with a brace).

        Raises
        ------
        ValueError
            If it is not JSON, or not a result of this kind.
        FileNotFoundError
            If there is no such file.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        name = "text" if is_text else repr(os.fspath(source))
        try:
            data = json.loads(str(source) if is_text else Path(source).read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:  # also thousands of digits or brackets
            raise ValueError(
                f"source must be JSON, got {name}: {error}; write it with {cls.__name__}.to_json"
            ) from error
        return cls.from_dict(data)

    @classmethod
    def json_schema(cls) -> JsonObject:
        """The JSON Schema (draft 2020-12) that every `to_dict` satisfies."""
        path = files("fingerprint.report") / "schemas" / f"{cls.schema_name}.schema.json"
        schema: JsonObject = json.loads(path.read_text(encoding="utf-8"))
        return schema

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result) or type(other) is not type(self):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.to_json())
