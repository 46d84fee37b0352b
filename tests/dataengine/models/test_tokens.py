"""Tokens are counted as CLIP's own tokenizer counts them, or as another that is named does."""

import importlib.util
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from dataengine.errors import StageError
from dataengine.models import tokens
from dataengine.models.tokens import Tokens, missing

TEXTS = [
    "A ginger tabby cat with green eyes sits on a windowsill, sunlight from the left.",
    "It's 1984, isn't it?  DON'T PANIC",
    "一只猫坐在窗台上",
    "犬が走る",
    "Größe, café, Tiếng Việt",
    "Съешь ещё этих мягких французских булок",
    "สวัสดีชาวโลก",
    "नमस्ते दुनिया",
    "نص عربي",
    "😀🎉 a_b__c $9.99 ²½ http://example.org/a?b=1",
    "x" * 300,
    "\n tab\ttwo",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_clip_tokens_are_those_of_open_clip(text: str):
    from open_clip.tokenizer import SimpleTokenizer

    assert Tokens().count(text) == len(SimpleTokenizer().encode(text))


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A folder with a tokenizer that knows four words."""
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["[UNK]", "a", "red", "car"])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_another_tokenizer_is_a_folder_or_a_file(words: Path):
    assert [Tokens(str(t)).count("a very red car") for t in (words, words / "tokenizer.json")] == [4, 4]


def test_what_is_missing_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # where nothing listens
    fault = missing("Qwen/Qwen2.5-VL-7B-Instruct")
    assert fault and fault.message.startswith("the tokenizer Qwen/Qwen2.5-VL-7B-Instruct: neither in the hub's cache")
    assert "hf download Qwen/Qwen2.5-VL-7B-Instruct" in fault.remedy and "`tokenizer: FOLDER`" in fault.remedy
    assert (empty := missing(str(tmp_path))) and "has no tokenizer.json" in empty.message
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(StageError, match="cannot be loaded"):
        Tokens(str(tmp_path))


@pytest.mark.parametrize(("package", "said"), [("open_clip", "CLIP's tokenizer is not"), ("tokenizers", "package tok")])
def test_a_package_that_is_not_installed_is_named(package: str, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "find_spec", lambda name: None if name == package else importlib.util.find_spec(name))
    fault = missing()
    assert fault and said in fault.message and "pip install 'dataengine[models]'" in fault.remedy
