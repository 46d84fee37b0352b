"""Models that embed images and texts in one space: CLIP by open_clip; SigLIP 2 and Chinese-CLIP by transformers.

Weights come by hub name or from a local path. `missing` says, without loading anything, what is not there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from dataengine.errors import StageError
from dataengine.models import hub

Library = Literal["open_clip", "transformers"]


class Encoder(Protocol):
    """Embeds both sides. Embeddings are float32 and of unit length; a product of two is their cosine."""

    scale: float
    """What the model was trained to multiply cosines by before a softmax."""

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Embeddings (n, dimensions) of images uint8 (height, width, 3) in RGB."""

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings (n, dimensions). What is longer than the model's context is cut."""


def load(library: Library, model: str, weights: str | None = None, device: str = "auto") -> Encoder:
    """An encoder on a device: bfloat16 on CUDA, float32 elsewhere. See `missing` for what the names mean.

    Raises StageError with what to install or fetch."""
    if fault := missing(library, model, weights):
        raise fault
    try:
        return _OpenClip(model, weights, device) if library == "open_clip" else _Transformers(model, device)
    except Exception as error:  # the libraries raise what their formats' readers raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StageError(f"{_named(model, weights)} cannot be loaded: {reason}", _remedy(library)) from None


def missing(library: Library, model: str, weights: str | None = None) -> StageError | None:
    """Why an encoder could not be loaded, as far as that can be told at once.

    open_clip: `model` is an architecture and `weights` a published tag of it or a file (of OpenAI's, the architecture
    is one that ends in `-quickgelu`: a file does not tell); or `model` is a folder with `open_clip_config.json`, or
    `hf-hub:owner/name`. transformers: `model` is a folder or `owner/name` on the hub.
    Hub names are looked for in the cache, then asked for at the hub, unless HF_HUB_OFFLINE is set."""
    try:
        import torch  # noqa: F401

        if library == "open_clip":
            import open_clip
        else:
            import transformers  # noqa: F401
    except ImportError as error:
        return StageError(f"{_named(model, weights)}: {error}", "pip install 'dataengine[models]'")
    if library == "transformers" or model.startswith("hf-hub:"):
        repository = None if Path(model).is_dir() else model.removeprefix("hf-hub:")
        return hub.missing(f"the weights of {model}", repository, "model")
    if Path(model).is_dir():
        if (Path(model) / "open_clip_config.json").is_file():
            return None
        return StageError(f"{model} has no open_clip_config.json", _remedy(library))
    if model not in open_clip.list_models():
        remedy = "name one of open_clip.list_models(), a folder with open_clip_config.json, or hf-hub:owner/name"
        return StageError(f"open_clip knows no model {model!r}", remedy)
    if weights is None:
        return StageError(
            f"{model}: no weights are named", "set `weights` to a published tag, such as openai, or a file"
        )
    if Path(weights).is_file():
        return None
    config = open_clip.get_pretrained_cfg(model, weights)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        return StageError(f"{model}: {weights} is neither a file nor a published tag", f"tags: {tags}")
    repository = "/".join(config["hf_hub"].split("/")[:2])  # a file of it may follow
    return hub.missing(f"the weights of {_named(model, weights)}", repository, "model")


def _remedy(library: Library) -> str:
    if library == "open_clip":
        return (
            "give a path: `model: <architecture>` with `weights: <file>`, or `model: <folder of open_clip_config.json>`"
        )
    return "give a path: `model: <folder saved by save_pretrained>`"


def _named(model: str, weights: str | None) -> str:
    return f"{model} ({weights})" if weights and not _whole(model) else model


def _whole(model: str) -> bool:
    """Whether a name is that of an architecture and its weights in one."""
    return model.startswith("hf-hub:") or Path(model).is_dir()


def _unit(rows: Any) -> np.ndarray:
    """Rows of length one, float32."""
    rows = rows.float()
    return (rows / rows.norm(dim=-1, keepdim=True)).cpu().numpy()


class _Torch:
    """What both libraries' encoders share: a device and an arithmetic."""

    def __init__(self, device: str) -> None:
        from dataengine.device import choose_device, choose_dtype

        self.device = choose_device(device)
        self.dtype = choose_dtype("auto", self.device)

    def _run(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        import torch

        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
        with torch.inference_mode(), autocast:
            return call(*args, **kwargs)


class _OpenClip(_Torch):
    def __init__(self, model: str, weights: str | None, device: str) -> None:
        super().__init__(device)
        import open_clip

        name = f"local-dir:{model}" if Path(model).is_dir() else model
        tag = None if _whole(model) else weights
        # Of an activation that the weights were not trained with, open_clip only warns.
        quick = bool(tag and open_clip.get_pretrained_cfg(model, tag).get("quick_gelu"))
        make = open_clip.create_model_from_pretrained
        self._model, self._prepare = make(name, tag, device=self.device, force_quick_gelu=quick)
        self._model.eval()
        self._tokenize = open_clip.get_tokenizer(name)
        self.scale = float(self._model.logit_scale.detach().exp())

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        import torch
        from PIL import Image

        batch = torch.stack([self._prepare(Image.fromarray(image)) for image in images])
        return _unit(self._run(self._model.encode_image, batch.to(self.device)))

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return _unit(self._run(self._model.encode_text, self._tokenize(list(texts)).to(self.device)))


class _Transformers(_Torch):
    def __init__(self, model: str, device: str) -> None:
        super().__init__(device)
        from transformers import AutoModel, AutoProcessor

        self._model = AutoModel.from_pretrained(model).to(self.device).eval()
        self._process = AutoProcessor.from_pretrained(model)
        self.scale = float(self._model.logit_scale.detach().exp())
        text = self._model.config.text_config
        # SigLIP was trained on texts in small letters, padded to the full length; the others look at a mask.
        self._siglip = "siglip" in self._model.config.model_type
        self._text = {"padding": "max_length" if self._siglip else True, "max_length": text.max_position_embeddings}

    def images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        inputs = self._process(images=list(images), return_tensors="pt").to(self.device)
        return _unit(self._run(self._model.get_image_features, **inputs).pooler_output)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        given = [text.lower() for text in texts] if self._siglip else list(texts)
        inputs = self._process(text=given, truncation=True, return_tensors="pt", **self._text).to(self.device)
        return _unit(self._run(self._model.get_text_features, **inputs).pooler_output)
