"""A real Qwen2.5-VL, only small."""

from pathlib import Path

import pytest

from dataengine.errors import StageError
from dataengine.models.captioner.local import Local, LocalConfig
from tests.small_qwen import square


def test_it_sees_what_is_in_the_picture_and_answers_in_the_form(small_qwen: Path):
    local = Local(LocalConfig(model=str(small_qwen), device="cpu", max_tokens=200))
    made = local.caption([square("red"), square("blue")], [None, None])
    assert [one.answer.caption for one in made if one.answer] == ["a red square", "a blue square"]
    assert all(one.cost.requests == 1 and one.cost.prompt_tokens > 100 for one in made)
    assert 10 < made[0].cost.completion_tokens < 200


def test_a_batch_with_one_that_it_cannot_answer_has_the_others_and_a_fault(small_qwen: Path):
    local = Local(LocalConfig(model=str(small_qwen), device="cpu", max_tokens=60))
    red, lime = local.caption([square("red"), square("lime")], [None, None])
    assert red.answer and red.answer.caption == "a red square"
    assert lime.answer is None and "gives no answer that can be used" in str(lime.error)
    assert lime.cost.requests == 3 and lime.cost.prompt_tokens > 3 * red.cost.prompt_tokens


def test_an_answer_that_is_cut_is_no_answer(small_qwen: Path):
    local = Local(LocalConfig(model=str(small_qwen), device="cpu", max_tokens=5))
    [made] = local.caption([square("red")], [None])
    assert made.answer is None and "cut off after 5 tokens" in str(made.error)


def test_a_model_that_is_not_there_is_told_with_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # where nothing listens
    fault = Local.missing(LocalConfig(model="Qwen/Qwen2.5-VL-7B-Instruct"))
    assert fault and "the weights of Qwen/Qwen2.5-VL-7B-Instruct: neither in the hub's cache" in fault.message
    assert "hf download Qwen/Qwen2.5-VL-7B-Instruct" in fault.remedy
    with pytest.raises(StageError, match="cannot be loaded"):
        Local(LocalConfig(model=str(tmp_path)))
