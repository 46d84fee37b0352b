"""Whether a model can be had from the Hugging Face hub: told without fetching or loading anything."""

import os
from collections.abc import Sequence

from dataengine.errors import StageError

_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)


def missing(what: str, repository: str | None, key: str, files: Sequence[str] = _WEIGHTS) -> StageError | None:
    """The error for a repository (`owner/name`) of which none of `files` is in the hub's cache, and that the hub does
    not offer either; None where there is no repository to ask for. `what` is what it has, as the user knows it, and
    `key` the manifest's key that takes a folder in its place. With HF_HUB_OFFLINE set the hub is not asked."""
    if not repository:
        return None
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import RepositoryNotFoundError

    if any(isinstance(try_to_load_from_cache(repository, name), str) for name in files):
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
