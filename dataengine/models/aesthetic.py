"""LAION's aesthetic predictors: linear maps from a CLIP image embedding to a score of about 1 to 10.

Two are published: `sa_0_4_vit_b_32_linear.pth` and `sa_0_4_vit_l_14_linear.pth`, a single layer each, and
`sac+logos+ava1-l14-linearMSE.pth`, five layers without activations between them (improved-aesthetic-predictor). All
take embeddings of unit length of OpenAI's CLIP. A chain of linear maps is one: it is multiplied out when it is loaded.
"""

import re
from pathlib import Path

import numpy as np

from dataengine.errors import StageError

SOURCES = (
    "https://github.com/LAION-AI/aesthetic-predictor (linear) or "
    "https://github.com/christophschuhmann/improved-aesthetic-predictor (MLP)"
)


class AestheticHead:
    """Scores embeddings. Raises StageError when the file is missing or holds something else."""

    def __init__(self, path: str) -> None:
        self._weight, self._bias = _multiplied(_layers(path), path)

    @property
    def dimensions(self) -> int:
        """Of the embeddings that it takes: 512 for ViT-B/32, 768 for ViT-L/14."""
        return len(self._weight)

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Scores float32 (n,) of embeddings float32 (n, dimensions) of unit length."""
        return (embeddings @ self._weight + self._bias).astype(np.float32)


def missing(path: str) -> StageError | None:
    """Why a head could not be loaded, as far as its file tells at once."""
    if Path(path).is_file():
        return None
    return StageError(f"the aesthetic head is not here: {path}", f"download one from {SOURCES} and give its path")


def _layers(path: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights (outputs, inputs) and biases, in the order of the layers."""
    if fault := missing(path):
        raise fault
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        names = sorted(
            (n for n in state if n.endswith("weight")), key=lambda n: [int(x) for x in re.findall(r"\d+", n)]
        )
        pairs = [(state[n], state[n.removesuffix("weight") + "bias"]) for n in names]
        return [(w.double().numpy(), b.double().numpy()) for w, b in pairs]
    except Exception as error:  # torch.load raises what its pickles raise
        raise StageError(f"{path} is no aesthetic head: {error}", f"download one from {SOURCES}") from None


def _multiplied(layers: list[tuple[np.ndarray, np.ndarray]], path: str) -> tuple[np.ndarray, float]:
    try:
        weight, bias = layers[0]
        for w, b in layers[1:]:
            weight, bias = w @ weight, w @ bias + b
        [row], [offset] = weight, bias
    except (IndexError, ValueError):
        raise StageError(f"{path} is no aesthetic head: its layers do not lead to one score", SOURCES) from None
    return row, float(offset)
