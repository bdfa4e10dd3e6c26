"""Every key of every record that the package writes, from its JSON schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]  # a JSON Schema: any JSON there is


def as_markdown() -> str:
    """A section for each record: a table of its keys, and one for each part that it names."""
    folder = files("fingerprint.report") / "schemas"
    found = sorted(path.name for path in folder.iterdir() if path.name.endswith(".json"))
    first = "report.schema.json"
    return "\n".join(_record(folder.joinpath(name).read_text("utf-8")) for name in [first, *(set(found) - {first})])


def _record(text: str) -> str:
    schema = json.loads(text)
    parts = schema.get("$defs", {})
    lines = [f"## {schema['title']}", "", schema["description"], "", *_table("", schema)]
    for name, part in parts.items():
        lines += ["", f"**{name}**: {part.get('description', _type(part))}", ""]
        lines += _table("", part) if "properties" in part else []
    return "\n".join([*lines, ""])


def _table(prefix: str, schema: Schema) -> list[str]:
    rows = [f"| `{path}` | {kind} | {said} |" for path, kind, said in _keys(prefix, schema)]
    return ["| key | type | |", "|---|---|---|", *rows]


def _keys(prefix: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    for key, value in schema.get("properties", {}).items():
        yield f"{prefix}{key}", _type(value).replace("|", "\\|"), value.get("description", "").replace("|", "\\|")
        for ending, inner in _within(value):
            yield from _keys(f"{prefix}{key}{ending}.", inner)


def _within(value: Schema) -> Iterator[tuple[str, Schema]]:
    """Objects inside a value: itself, its items, or one of what it may be."""
    if "properties" in value:
        yield "", value
    if "items" in value:
        yield from ((f"[]{ending}", inner) for ending, inner in _within(value["items"]))
    if isinstance(value.get("additionalProperties"), dict):
        yield from ((f".*{ending}", inner) for ending, inner in _within(value["additionalProperties"]))
    for choice in value.get("anyOf", ()):
        yield from _within(choice)


def _type(value: Schema) -> str:
    if "$ref" in value:
        return f"*{value['$ref'].rpartition('/')[2]}*"
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return ", ".join(f"`{json.dumps(one)}`" for one in value["enum"])
    if "anyOf" in value:
        return " or ".join(_type(choice) for choice in value["anyOf"])
    kind = value.get("type", "anything")
    kind = " or ".join(kind) if isinstance(kind, list) else kind
    if kind == "array":
        return f"array of {_type(value.get('items', {}))}"
    bounds = [
        f"{sign} {value[word]}"
        for word, sign in (
            ("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<")
        )
        if word in value
    ]  # fmt: skip
    return " ".join([kind, ", ".join(bounds)]).strip()
