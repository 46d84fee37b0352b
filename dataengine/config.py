"""YAML files into pydantic models: unknown keys refused with a suggestion, `--set` overrides, `${VARIABLES}`.

Used for the run manifest, text sets and training configurations alike.
"""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import platformdirs
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dataengine.errors import ManifestError

Model = TypeVar("Model", bound=BaseModel)

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?))?B?\s*", re.IGNORECASE | re.ASCII)


class Config(BaseModel):
    """Base of every configuration model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


HOW = "how"
"""Marks a field, as in `Annotated[str, HOW]`, that says how something is computed and not what: a device, a number of
threads, an address. What was made stands when it changes."""


def what(config: BaseModel) -> dict[str, Any]:
    """A configuration as plain JSON without the fields that are marked `HOW`, at any depth of nested models."""
    return _without_how(config, config.model_dump(mode="json"))


def _without_how(config: BaseModel, dumped: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, field in type(config).model_fields.items():
        if HOW not in field.metadata:
            value = getattr(config, name)
            kept[name] = _without_how(value, dumped[name]) if isinstance(value, BaseModel) else dumped[name]
    return kept


def parse_size(value: int | str) -> int:
    """Bytes from `128MB` (10^6), `256MiB` (2^20) or a plain number. Raises ValueError when it is none of these."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"{value!r} is not a size; write for instance 128MB, 256MiB or 4096")
    number, prefix, binary = match.groups()
    return round(float(number) * (1024 if binary else 1000) ** " KMGT".index((prefix or " ").upper()))


Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
"""A configuration value in bytes."""


def cache_folder(name: str) -> Path:
    """Where what was fetched or unpacked for `name` is kept: below $DATAENGINE_CACHE, or the user's cache folder."""
    root = os.environ.get("DATAENGINE_CACHE")
    return (Path(root) if root else Path(platformdirs.user_cache_dir("dataengine"))) / name


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ManifestError that names the file and the line."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such file", "check the path; ready-made manifests are in manifests/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {error}", "the file must be readable UTF-8 text") from None
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise ManifestError(f"{where}: not valid YAML: {problem}", "mend the syntax at that line") from None
    if not isinstance(data, dict):
        raise ManifestError(f"{path}: must hold a mapping of keys, not {type(data).__name__}", "start with `name: …`")
    return data


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Set `a.b=value` in nested data (in place, and returned). Values are YAML.

    A list entry is addressed by its index, or by its `name`, `stage` or `set`: `select.filters.clarity.keep=…`.
    """
    for override in overrides:
        key, equals, raw = override.partition("=")
        if not equals or not key:
            raise ManifestError(f"--set {override}: expected key=value", "for instance --set pack.shard_bytes=64MB")
        try:
            value = yaml.safe_load(raw)
        except (yaml.YAMLError, ValueError):
            value = raw
        *parents, last = key.split(".")
        node: Any = data
        walked: list[str] = []
        for name in parents:
            node = _child(node, name, walked, override)
            walked.append(name)
        if isinstance(node, list):
            node[_entry(node, last, walked, override)] = value
        elif isinstance(node, dict):
            node[last] = value
        else:
            raise ManifestError(f"--set {override}: {'.'.join(walked)} holds no keys", "name a key of a section")
    return data


def _child(node: Any, name: str, walked: Sequence[str], override: str) -> Any:
    if isinstance(node, list):
        index = _entry(node, name, walked, override)
        if not isinstance(node[index], dict):  # the short form `- pixels` opens into `- {stage: pixels}`
            node[index] = {"stage": node[index]}
        return node[index]
    if isinstance(node, dict):
        if node.get(name) is None:
            node[name] = {}
        return node[name]
    raise ManifestError(f"--set {override}: {'.'.join(walked)} holds no keys", "name a key of a section")


def _entry(node: list[Any], name: str, walked: Sequence[str], override: str) -> int:
    if name.isdecimal() and int(name) < len(node):
        return int(name)
    names = [
        next((str(e[k]) for k in ("name", "stage", "set") if k in e), "") if isinstance(e, dict) else str(e)
        for e in node
    ]
    if name in names:
        return names.index(name)
    known = ", ".join(filter(None, names)) or "nothing yet"
    raise ManifestError(f"--set {override}: {'.'.join(walked)} has no entry {name!r}", f"it has: {known}")


def expand_variables(value: Any, variables: Mapping[str, str], where: str = "") -> Any:
    """Replace `${NAME}` in every string by `variables[NAME]` or the environment's value."""
    if isinstance(value, dict):
        return {k: expand_variables(v, variables, f"{where}.{k}" if where else str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [expand_variables(v, variables, f"{where}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def substitute(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in variables:
            return variables[name]
        if name in os.environ:
            return os.environ[name]
        raise ManifestError(f"{where}: the variable {name} is not set", f"export {name}=… before the command")

    return _VARIABLE.sub(substitute, value)


def build(model: type[Model], data: Mapping[str, Any], where: str) -> Model:
    """Validate `data` as `model`. Raises ManifestError naming each bad key with its path, and what was meant."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_explain(model, e) for e in error.errors()]
        listing = "\n".join(f"  {p}" for p in problems)
        raise ManifestError(f"{where}: {len(problems)} problem(s)\n{listing}", "mend the keys named above") from None


def load(
    model: type[Model], path: str | Path, overrides: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Model:
    """Read, override, expand and validate a YAML file: the one way in for every configuration file."""
    data = apply_overrides(read_yaml(path), overrides)
    return build(model, expand_variables(data, variables or {}), str(path))


def suggest(name: str, known: Sequence[str]) -> str:
    """`; did you mean …?` for a misspelt name, or the known names when none is near."""
    return near(name, known) or f"; known: {', '.join(sorted(known))}"


def near(name: str, known: Sequence[str]) -> str:
    """`; did you mean …?` for a misspelt name; empty when none is near."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def _explain(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    location = error["loc"]
    path = ".".join(str(part) for part in location) or "as a whole"
    if error["type"] == "extra_forbidden":
        fields = _fields_at(model, location[:-1])
        return f"{path}: unknown key{suggest(str(location[-1]), fields)}"
    if error["type"] == "missing":
        return f"{path}: this key is required"
    message = error["msg"].removeprefix("Value error, ")
    given = error.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{path}: {message}{shown}"


def _fields_at(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    """The field names of the model that stands at `location` inside `model`."""
    here: Any = model
    kinds: Mapping[str, Any] = {}  # of a field that holds one of several models, told by their `kind`
    for step in location:
        if step in kinds:
            here, kinds = kinds[step], {}
            continue
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(step))
            here = field.annotation if field else here
        kinds = {one.model_fields["kind"].default: one for one in _alternatives(here)}
        here = _inner_model(here) or here
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _alternatives(annotation: Any) -> list[type[BaseModel]]:
    """The models of a union that are told apart by their field `kind`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if "kind" in annotation.model_fields else []
    return [model for argument in get_args(annotation) for model in _alternatives(argument)]


def _inner_model(annotation: Any) -> Any:
    """The pydantic model inside `list[M]`, `dict[str, M]`, `M | None`; None when there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, tuple, dict, Union, UnionType) or get_args(annotation):
        for argument in get_args(annotation):
            if found := _inner_model(argument):
                return found
    return None
