"""A captioner on this machine: Qwen2.5-VL, or any other image-text-to-text model of transformers that chats.

For a GPU. On a CPU it works, at minutes a picture for the 7 B model.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dataengine.config import HOW, Config
from dataengine.errors import SampleError, StageError
from dataengine.models import hub
from dataengine.models.captioner.answer import REASKED, Captioned, Cost, again, form, parse, question

_REMEDY = "give a path: `model: <folder saved by save_pretrained>`"


class LocalConfig(Config):
    """`model` is a name on the hub or a folder. Decoding is greedy, so that answers are the same each time."""

    model: str = "Qwen/Qwen2.5-VL-7B-Instruct"
    device: Annotated[str, HOW] = "auto"
    max_tokens: int = Field(1024, ge=1)


class Local:
    """Asks a model that it holds: weights in bfloat16 on CUDA, float32 elsewhere."""

    def __init__(self, config: LocalConfig) -> None:
        if fault := self.missing(config):
            raise fault
        from transformers import AutoModelForImageTextToText, AutoProcessor

        from dataengine.device import choose_device, choose_dtype

        self.config = config
        self._device = choose_device(config.device)
        dtype = choose_dtype("auto", self._device)
        try:
            self._process = AutoProcessor.from_pretrained(config.model)
            model = AutoModelForImageTextToText.from_pretrained(config.model, dtype=dtype)
        except Exception as error:  # whatever the formats' readers raise
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise StageError(f"{config.model} cannot be loaded: {reason}", _REMEDY) from None
        self._model = model.to(self._device).eval()
        self._process.tokenizer.padding_side = "left"  # so that all answers of a batch start at the same place

    @staticmethod
    def missing(config: LocalConfig) -> StageError | None:
        """Why the model could not be loaded, as far as that can be told at once."""
        try:
            import torch  # noqa: F401
            import transformers  # noqa: F401
        except ImportError as error:
            return StageError(f"{config.model}: {error}", "pip install 'dataengine[models]'")
        repository = None if Path(config.model).is_dir() else config.model
        return hub.missing(f"the weights of {config.model}", repository, "model")

    def caption(self, pictures: Sequence[np.ndarray], raw: Sequence[str | None]) -> list[Captioned]:
        """An answer for each picture, uint8 (height, width, 3), and the caption that it came with, in order."""
        talks = [_opened(pixels, given) for pixels, given in zip(pictures, raw, strict=True)]
        made = [Captioned()] * len(talks)
        left = list(range(len(talks)))
        for _ in range(REASKED + 1):
            for at, (text, cut, cost) in zip(left, self._answers([talks[at] for at in left]), strict=True):
                total = made[at].cost + cost
                try:
                    if cut:
                        raise SampleError(f"it was cut off after {cost.completion_tokens} tokens")
                    made[at] = Captioned(parse(text, form(raw[at])), cost=total)
                except SampleError as error:
                    fault = SampleError(f"{self.config.model} gives no answer that can be used: {error.message}")
                    made[at] = Captioned(error=fault, cost=total)
                    talks[at] = [talks[at][0], _turn("assistant", text), _turn("user", again(error.message))]
            left = [at for at in left if made[at].error]
            if not left:
                break
        return made

    def _answers(self, talks: Sequence[list[dict[str, Any]]]) -> list[tuple[str, bool, Cost]]:
        """Text, whether it was cut for its length, and cost of the answer to each conversation, decoded together."""
        import torch

        started = time.perf_counter()
        inputs = self._process.apply_chat_template(
            list(talks),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        ).to(self._device)
        with torch.inference_mode():
            made = self._model.generate(**inputs, max_new_tokens=self.config.max_tokens, do_sample=False)
        answers = made[:, inputs["input_ids"].shape[1] :]
        ends = np.atleast_1d(self._model.generation_config.eos_token_id)
        seconds = (time.perf_counter() - started) / len(talks)
        replies = []
        for tokens, asked in zip(answers.tolist(), inputs["attention_mask"].sum(dim=1).tolist(), strict=True):
            length = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
            text = self._process.tokenizer.decode(tokens[:length], skip_special_tokens=True)
            replies.append((text, length == len(tokens), Cost(1, asked, length, seconds)))
        return replies


def _opened(pixels: np.ndarray, raw: str | None) -> list[dict[str, Any]]:
    from PIL import Image

    content = [{"type": "image", "image": Image.fromarray(pixels)}, {"type": "text", "text": question(raw)}]
    return [{"role": "user", "content": content}]


def _turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}]}
