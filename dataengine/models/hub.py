"""A model's files, in a folder or on the Hugging Face hub: whether they can be had, in which subfolder, and which they
are. Told without fetching or loading anything."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dataengine.errors import StageError

_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
)
_SAMPLED = 64  # places at which a large file is read to know it again
_BLOCK = 1 << 16


def missing(
    what: str, repository: str | None, key: str, files: Sequence[str] = _WEIGHTS, part: str = ""
) -> StageError | None:
    """The error for a repository (`owner/name`) of which none of `files` is in the hub's cache, and that the hub does
    not offer either; None where there is no repository to ask for. `what` is what it has, as the user knows it, `part`
    the subfolder that is wanted of it, and `key` the manifest's key that takes a folder in its place. With
    HF_HUB_OFFLINE set the hub is not asked."""
    if not repository:
        return None
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    if any(_cached(repository, part, name) for name in files):
        return None
    try:
        HfApi().model_info(repository, timeout=10)
    except RepositoryNotFoundError:
        return StageError(f"{what}: the hub has no {repository}", f"check the name, or give a folder: `{key}: FOLDER`")
    except Exception as error:  # which ones a lost network raises is the HTTP library's affair, and changed with it
        reason = "HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else type(error).__name__
        fetch = f"`hf download {repository} --local-dir FOLDER` where there is a network, copy FOLDER here"
        message = f"{what}: neither in the hub's cache here nor to be had from the hub ({reason})"
        return StageError(message, f"{fetch} and write `{key}: FOLDER`")
    return None


def not_installed(named: str, *packages: str) -> StageError | None:
    """The error for the first package that is not there; None where all are. None is imported: that takes seconds."""
    absent = next((package for package in packages if find_spec(package) is None), None)
    return StageError(f"{named}: no package {absent} here", "pip install 'dataengine[models]'") if absent else None


def located(model: str, name: str, marker: str = "config.json") -> tuple[str, str]:
    """Where a model lies: a folder or a repository, and the subfolder of a repository.

    A released pipeline holds several models, each in a subfolder `name` that is told by the file `marker`; a model that
    was saved by itself lies at the root."""
    if Path(model).is_dir():
        return str(Path(model) / name if (Path(model) / name / marker).is_file() else Path(model)), ""
    if _cached(model, name, marker):
        return model, name
    if _cached(model, "", marker):
        return model, ""
    from huggingface_hub import HfApi

    try:
        return model, name if HfApi().file_exists(model, f"{name}/{marker}") else ""
    except Exception:  # not to be asked: `missing` says so
        return model, ""


@contextmanager
def loading(model: str, remedy: str) -> Iterator[None]:
    """Turns whatever the formats' readers raise into a StageError that names the model."""
    try:
        yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StageError(f"{model} cannot be loaded: {reason}", remedy) from None


def fingerprint(told: Mapping[str, Any], model: str, part: str = "") -> str:
    """BLAKE2b-128 of a configuration and of the weights that it names, wherever these lie. Raises as `identity`."""
    text = json.dumps([told, identity(model, part)], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def identity(model: str, part: str = "") -> str:
    """What tells one set of files from another: of a folder a digest, of a repository the commit that is used here.

    The digest reads small files whole and large ones at 64 places, so that it takes a moment for any size; training
    changes weights everywhere. Raises StageError for a repository that is neither cached nor to be asked for."""
    if Path(model).is_dir():
        return _digest(Path(model))
    from huggingface_hub import HfApi

    if config := _cached(model, part, "config.json"):
        return config.parent.parent.name if part else config.parent.name
    try:
        return str(HfApi().model_info(model, timeout=10).sha)
    except Exception as error:
        reason = type(error).__name__
        raise StageError(f"{model}: not here ({reason})", f"`hf download {model}` where there is a network") from None


def _cached(repository: str, part: str, name: str) -> Path | None:
    """Where the hub's cache has a file; None when it has not."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(repository, f"{part}/{name}" if part else name)
    except ValueError:  # no name that a repository can have
        return None
    return Path(found) if isinstance(found, str) else None


def _digest(folder: Path) -> str:
    """BLAKE2b-128 of the names, sizes and content of the files in a folder, large ones sampled."""
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        size = path.stat().st_size
        state.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as file:
            if size <= _SAMPLED * _BLOCK:
                state.update(file.read())
                continue
            for index in range(_SAMPLED):
                file.seek(index * (size - _BLOCK) // (_SAMPLED - 1))
                state.update(file.read(_BLOCK))
    return state.hexdigest()
