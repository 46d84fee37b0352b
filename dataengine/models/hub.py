"""Whether a model's weights can be had from the Hugging Face hub: told without fetching or loading anything."""

import os

from dataengine.errors import StageError

_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)


def missing(named: str, repository: str | None, remedy: str) -> StageError | None:
    """The error for a repository (`owner/name`) that is neither in the hub's cache nor to be had from the hub; None
    where there is no repository to ask for. `named` is the model as the user knows it, `remedy` what to do instead of
    fetching it. With HF_HUB_OFFLINE set the hub is not asked."""
    if not repository:
        return None
    from huggingface_hub import HfApi, try_to_load_from_cache

    if any(isinstance(try_to_load_from_cache(repository, name), str) for name in _WEIGHTS):
        return None
    try:
        HfApi().model_info(repository, timeout=10)
    except Exception as error:  # which ones a lost network raises is the HTTP library's affair, and changed with it
        reason = "the hub is not to be asked" if os.environ.get("HF_HUB_OFFLINE") else type(error).__name__
        fetch = f"`hf download {repository}` where there is a network"
        return StageError(f"the weights of {named} are not here ({reason})", f"{fetch}, or {remedy}")
    return None
