"""Reading text in images: PaddleOCR on onnxruntime, with the PP-OCRv6 weights that the `rapidocr` package ships.

PaddleOCR wants a folder a model, with an `inference.yml` beside the weights; these are laid out once in the cache. No
network and no paddlepaddle are needed. The orientation classifiers stay off: that of text lines turns upright English
lines over.

On one core an image of 512 × 512 without text takes 0.2 s, all of it detection. Recognition adds about 4 ms for each
length of a line's height (0.1 s for a line 25 times as long as high), so a page of small print takes seconds. Nine
tenths of it are spent inside the two networks: only a smaller recogniser, a GPU or fewer lines would make it faster.

Where lines are is known for synthesized pictures. There `LineReader` reads them one by one with the recogniser alone.
"""

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from dataengine.config import cache_folder
from dataengine.errors import StageError

_INSTALL = "pip install 'dataengine[engine]', which brings paddleocr, rapidocr and onnxruntime"
_FILES = ("inference.onnx", "inference.yml")
_HEIGHT, _NARROWEST, _WIDEST = 48, 320, 3200  # pixels of a line as the recogniser takes it
_MODELS = {"det": "PP-OCRv6_small_det", "rec": "PP-OCRv6_small_rec"}


@dataclass(frozen=True)
class Line:
    """One line as read. `quad` is float32 (8,): x, y of four corners, clockwise from the reading start, in pixels."""

    text: str
    confidence: float
    quad: np.ndarray


class PaddleReader:
    """Finds and reads lines. Raises StageError when a package or its weights are missing.

    detection, recognition: folders of other models of PaddleOCR (`inference.yml` beside `inference.onnx` or
    `inference.pdiparams`). device: auto (a GPU where the runtime sees one), cpu, gpu:0 and so on. line_batch: lines
    that the recogniser is given at once, of all images that are read together; on a CPU more than one gains
    nothing.
    """

    def __init__(
        self,
        threads: int = 1,
        limit_side: int = 960,
        detection: str | None = None,
        recognition: str | None = None,
        device: str = "auto",
        line_batch: int = 1,
    ) -> None:
        _quiet()
        try:
            from paddleocr import PaddleOCR
        except ImportError as error:
            raise StageError(f"the OCR engine cannot be loaded: {error}", _INSTALL) from None
        found = Model.of(detection or str(model_folders()["det"]))
        read = Model.of(recognition or str(model_folders()["rec"]))
        if found.engine != read.engine:
            raise StageError(
                f"{found.folder} is for {found.engine} and {read.folder} for {read.engine}",
                "take both in the same format: `paddlex --paddle2onnx` makes ONNX of Paddle's",
            )
        _quiet()  # once more: its import sets the level back
        self._ocr = PaddleOCR(
            text_detection_model_name=found.name,
            text_detection_model_dir=found.folder,
            text_recognition_model_name=read.name,
            text_recognition_model_dir=read.folder,
            text_recognition_batch_size=line_batch,
            use_doc_orientation_classify=False,
            use_doc_unwarping=False,
            use_textline_orientation=False,
            text_det_limit_side_len=limit_side,
            text_det_limit_type="max",
            text_rec_score_thresh=0.0,
            **_how(read.engine, device, threads),
        )

    def read(self, pixels: np.ndarray) -> list[Line]:
        """Lines in reading order, of any confidence. pixels: uint8 (height, width, 3), RGB."""
        [lines] = self.read_many([pixels])
        return lines

    def read_many(self, images: Sequence[np.ndarray]) -> list[list[Line]]:
        """The same for several images, whose lines are recognised together."""
        # Smaller than any letter is smaller than what the detector can be given.
        readable = [at for at, pixels in enumerate(images) if min(pixels.shape[:2]) >= 8]
        lines: list[list[Line]] = [[] for _ in images]
        given = [np.ascontiguousarray(images[at][..., ::-1]) for at in readable]
        for at, found in zip(readable, self._ocr.predict(given) if given else [], strict=True):
            told = zip(found["rec_texts"], found["rec_scores"], found["rec_polys"], strict=True)
            lines[at] = [Line(t, float(c), np.asarray(q, np.float32).reshape(8)) for t, c, q in told]
        return lines


class PaddleLines:
    """Reads lines that are cut out and lie straight, with another recogniser of PaddleOCR, such as one for Hangul.

    Raises StageError when a package or the model is missing. See PaddleReader for what the arguments mean."""

    def __init__(self, folder: str, threads: int = 1, device: str = "auto", line_batch: int = 1) -> None:
        _quiet()
        try:
            from paddleocr import TextRecognition
        except ImportError as error:
            raise StageError(f"the OCR engine cannot be loaded: {error}", _INSTALL) from None
        model = Model.of(folder)
        how = _how(model.engine, device, threads)
        self._recognise = TextRecognition(model_name=model.name, model_dir=model.folder, **how)
        self._batch = line_batch

    def read_lines(self, lines: Sequence[np.ndarray]) -> list[tuple[str, float]]:
        """Text and confidence, 0 to 1, of each line, uint8 (height, width, 3), RGB."""
        given = [np.ascontiguousarray(line[..., ::-1]) for line in lines]
        found = self._recognise.predict(given, batch_size=self._batch) if given else []
        return [(one["rec_text"], float(one["rec_score"])) for one in found]


@dataclass(frozen=True)
class Model:
    """A folder with a model of PaddleOCR: its name, and the engine that its weights are for."""

    folder: str
    name: str
    engine: str

    @classmethod
    def of(cls, folder: str) -> "Model":
        """Raises StageError when something is missing in it."""
        home = Path(folder)
        remedy = "a model's folder has inference.yml beside inference.onnx, or inference.pdiparams for paddlepaddle"
        try:
            description = yaml.safe_load((home / "inference.yml").read_text(encoding="utf-8"))
            name = description["Global"]["model_name"]
        except (OSError, yaml.YAMLError, LookupError, TypeError) as error:
            raise StageError(f"{folder} is no model of PaddleOCR: {error}", remedy) from None
        if (home / "inference.onnx").is_file():
            return cls(folder, name, "onnxruntime")
        if (home / "inference.pdiparams").is_file():
            return cls(folder, name, "paddle")
        raise StageError(f"{folder} has no weights", remedy)


def missing(folders: Sequence[str], device: str = "auto") -> StageError | None:
    """Why models in these folders could not be used here, told without loading them."""
    try:
        for folder in folders:
            _how(Model.of(folder).engine, device, threads=1)
    except StageError as fault:
        return fault
    return None


def _how(engine: str, device: str, threads: int) -> dict[str, Any]:
    """What PaddleOCR is told of engine, device and threads."""
    if engine == "onnxruntime":
        # What paddleocr says of their absence points elsewhere, and its own choice of a device asks torch.
        able = "CUDAExecutionProvider" in _runtime().get_available_providers()
        if device.startswith("gpu") and not able:
            remedy = "pip uninstall onnxruntime, then pip install onnxruntime-gpu; or take `device: cpu`"
            raise StageError(f"OCR on {device}: the onnxruntime that is installed knows no GPU", remedy)
        device = ("gpu" if able else "cpu") if device == "auto" else device
        config = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
        return {"engine": engine, "engine_config": config, "device": device}
    if find_spec("paddle") is None:
        remedy = "pip install paddlepaddle, or paddlepaddle-gpu; or `paddlex --paddle2onnx` makes ONNX of the model"
        raise StageError("the OCR model is in Paddle's format, and paddlepaddle is not installed", remedy)
    how: dict[str, Any] = {"engine": engine, "cpu_threads": threads, "enable_mkldnn": False}  # 3.3 fails with oneDNN
    return how | ({} if device == "auto" else {"device": device})


class LineReader:
    """Reads single lines that are cut out and lie straight. Raises StageError when a package or its weights are
    missing."""

    def __init__(self, threads: int = 1) -> None:
        onnxruntime = _runtime()
        folder = model_folders()["rec"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        weights = str(folder / "inference.onnx")
        self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        self._characters = ["", *_characters(folder / "inference.onnx"), " "]  # the first stands for none

    def read(self, line: np.ndarray) -> str:
        """What stands in a line. line: uint8 (height, width, 3), RGB, of any size."""
        height, width = line.shape[:2]
        width = min(_WIDEST, math.ceil(_HEIGHT * width / height))
        how = cv2.INTER_AREA if height > _HEIGHT else cv2.INTER_CUBIC
        scaled = cv2.resize(line, (width, _HEIGHT), interpolation=how)[..., ::-1]
        taken = np.zeros((1, 3, _HEIGHT, max(width, _NARROWEST)), np.float32)
        taken[0, :, :, :width] = scaled.transpose(2, 0, 1) / np.float32(127.5) - 1
        likely = self._session.run(None, {"x": taken})[0][0].argmax(axis=1)
        changes = np.diff(likely, prepend=0) != 0
        return "".join(self._characters[number] for number in likely[changes])


def alphabet() -> frozenset[str]:
    """The characters that the recogniser knows. Raises StageError as its readers do."""
    return frozenset(_characters(model_folders()["rec"] / "inference.onnx")) | {" "}


def model_folders() -> dict[str, Path]:
    """The folders of the two models as PaddleOCR wants them, made in the cache at the first call.

    Raises StageError when the weights are missing or the cache cannot be written to.
    """
    spec = find_spec("rapidocr")
    if spec is None or not spec.origin:
        raise StageError("the OCR weights are missing: rapidocr is not installed", _INSTALL)
    try:
        shipped = version("rapidocr")
    except PackageNotFoundError:
        shipped = "unknown"
    root = cache_folder(f"ocr-rapidocr-{shipped}")
    folders = {kind: root / name for kind, name in _MODELS.items()}
    if not _complete(root):
        try:
            _lay_out(Path(spec.origin).parent / "models", root)
        except OSError as error:
            remedy = f"make room there, delete {root} if it exists, or set DATAENGINE_CACHE to a writable folder"
            raise StageError(f"the OCR weights cannot be laid out in {root.parent}: {error}", remedy) from None
    return folders


def _complete(root: Path) -> bool:
    return all((root / name / file).is_file() for name in _MODELS.values() for file in _FILES)


def _lay_out(weights: Path, root: Path) -> None:
    """Copy the weights and write their `inference.yml`, beside the place and then renamed, as actors may race."""
    root.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=root.parent, prefix="ocr-"))
    try:
        for kind, name in _MODELS.items():
            source = weights / f"PP-OCRv6_{kind}_small.onnx"
            if not source.exists():
                raise StageError(
                    f"the OCR weights are missing: {source}", "pip install rapidocr==3.10.0, which ships them"
                )
            folder = made / name
            folder.mkdir()
            shutil.copyfile(source, folder / "inference.onnx")
            config = _detection() if kind == "det" else _recognition(_characters(source))
            text = yaml.safe_dump({"Global": {"model_name": name}, **config}, allow_unicode=True)
            (folder / "inference.yml").write_text(text, encoding="utf-8")
        try:
            made.rename(root)
        except OSError:
            if not _complete(root):  # else another process was first
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _detection() -> dict[str, Any]:
    normalize = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "scale": "1./255.", "order": "hwc"}
    return {
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": {"resize_long": 960}},
                {"NormalizeImage": normalize},
                {"ToCHWImage": None},
                {"KeepKeys": {"keep_keys": ["image", "shape"]}},
            ]
        },
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.3,
            "box_thresh": 0.6,
            "max_candidates": 1000,
            "unclip_ratio": 1.5,
        },
    }


def _recognition(characters: list[str]) -> dict[str, Any]:
    return {
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
                {"KeepKeys": {"keep_keys": ["image"]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }


@cache
def _characters(weights: Path) -> list[str]:
    """The recogniser's character set, which its weights carry as metadata, one a line."""
    session = _runtime().InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    return session.get_modelmeta().custom_metadata_map["character"].splitlines()


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise StageError(f"the OCR engine cannot be loaded: {error}", _INSTALL) from None
    return onnxruntime


def _quiet() -> None:
    """Keep PaddleOCR from asking the network for model sources and from logging every step."""
    os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    for name in ("paddlex", "paddleocr"):
        logging.getLogger(name).setLevel(logging.ERROR)
