"""What a run is asked to do: the pydantic models of a manifest, and how its entries become stages.

The manifest fixes only the order of the sections; what stands inside an entry belongs to the stage it names and is
checked by that stage's own `Params`, so a user's stage has the same errors and suggestions as ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from dataengine import config
from dataengine.config import Config, Size
from dataengine.errors import ManifestError
from dataengine.stage import Limits, Resources, find

_METHODS = {"collect": "produce", "synthesize": "produce", "measure": "measure", "encode": "encode"}
"""What tells sources, signals and encoders from queries, by the section in which they stand."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class PartLimits(Config):
    """How large a part of samples may become; smaller parts mean more parallel work and finer resume."""

    samples: int = Field(4096, gt=0, le=4096)
    bytes: Size = Field(256 << 20, le=256 << 20)

    def limits(self) -> Limits:
        return Limits(self.samples, self.bytes)


class ResourceOverride(Config):
    """Overrides of what a stage declares for one of its actors."""

    cpus: float | None = Field(None, gt=0)
    gpus: float | None = Field(None, ge=0)
    memory: Size | None = None
    batch: int | None = Field(None, gt=0)

    def over(self, declared: Resources) -> Resources:
        return replace(declared, **{k: v for k, v in self.model_dump().items() if v is not None})


class Entry(Config):
    """One entry of a section: the stage's name, how it runs, and the stage's own parameters (every other key)."""

    stage: str
    name: Name
    optional: bool = False
    resources: ResourceOverride = ResourceOverride()
    params: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_params(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"stage": data}
        if not isinstance(data, dict) or "params" in data:
            return data
        if "stage" not in data:
            raise ValueError("name a stage, for instance `stage: folder`")
        own = {k: data[k] for k in ("stage", "name", "optional", "resources") if k in data}
        own.setdefault("name", str(own["stage"]).split(":")[-1].lower())
        return {**own, "params": {k: v for k, v in data.items() if k not in own}}


def _default_stage(stage: str) -> BeforeValidator:
    """A section whose entries need not name their stage."""

    def add(value: Any) -> Any:
        if isinstance(value, list):
            return [add(v) for v in value]
        return {"stage": stage, **value} if isinstance(value, dict) and "params" not in value else value

    return BeforeValidator(add)


class Manifest(Config):
    """A run, from where images come to how the model is trained. Every section may be left out."""

    name: Name
    seed: int = 0
    parts: PartLimits = PartLimits()
    collect: list[Entry] = []
    synthesize: Annotated[list[Entry], _default_stage("text_set")] = []
    measure: list[Entry] = []
    dedup: Annotated[Entry | None, _default_stage("dedup")] = None
    select: Annotated[Entry, _default_stage("select")] = Field({"stage": "select"}, validate_default=True)
    balance: Annotated[Entry, _default_stage("balance")] = Field({"stage": "balance"}, validate_default=True)
    pack: Annotated[Entry | None, _default_stage("pack")] = None
    encode: Annotated[Entry | None, _default_stage("encode")] = None
    train: str | None = None

    @field_validator("collect", "synthesize", "measure", mode="after")
    @classmethod
    def _unique(cls, entries: list[Entry]) -> list[Entry]:
        names = [e.name for e in entries]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"two entries are named {', '.join(twice)}; give each a `name` of its own")
        return entries

    @model_validator(mode="after")
    def _has_samples(self) -> "Manifest":
        if self.encode and not self.pack:
            raise ValueError("`encode` reads shards: add a `pack` section")
        if not self.collect and not self.synthesize:
            raise ValueError("there is nothing to do: add a `collect` or a `synthesize` section")
        names = [e.name.lower() for e in (*self.collect, *self.synthesize, *self.measure)]
        names += ["duplicates"] if self.dedup else []  # the signal that dedup writes
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"two sections have an entry named {', '.join(twice)}; give each a `name` of its own")
        return self


def load(path: str | Path, overrides: Sequence[str] = (), run: str = "") -> Manifest:
    """Read a manifest; `${RUN}` stands for the run's folder. A text set alone is a manifest that synthesizes it."""
    path = Path(path)
    data = config.read_yaml(path)
    if "languages" in data and not {"collect", "synthesize", "pack"} & set(data):
        data = {"name": data.get("name", path.stem), "synthesize": [{"set": str(path)}], "pack": {}}
    data = config.apply_overrides(data, overrides)
    return config.build(Manifest, config.expand_variables(data, {"RUN": run}), str(path))


def stage_of(entry: Entry, section: str) -> tuple[type, Any]:
    """The class and the checked parameters of an entry. Raises ManifestError with the key's path."""
    stage = find(entry.stage)
    where = section if entry.name == section else f"{section}.{entry.name}"
    method = _METHODS.get(section, "rows")
    if not (hasattr(stage, "Params") and hasattr(stage, method)):
        raise ManifestError(f"{where}: {entry.stage} is no stage for `{section}`", f"its class must have `{method}`")
    return stage, config.build(stage.Params, entry.params, where)
