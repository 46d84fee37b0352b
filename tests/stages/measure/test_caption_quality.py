"""The signal `caption_quality`: lengths, languages and faults of real captions and of bad ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from dataengine.stage import Image, find
from stages.measure.caption_quality import CaptionQuality, Params, fault_of, repetition

PIXELS = np.zeros((4, 4, 3), np.uint8)
SIGNAL = find("caption_quality")(Params())


def measured(*captions: str | None) -> list[dict]:
    images = [Image(str(i), PIXELS, b"x", "png", caption=caption) for i, caption in enumerate(captions)]
    table = SIGNAL.measure(images)
    assert table.schema == CaptionQuality.columns
    return table.to_pylist()


def test_words_are_counted_in_every_script():
    found = measured("A dog runs.", "一只狗在跑。", "犬が走る", "개가 달린다", "Он бежит, она — нет", "หมาวิ่ง", "")
    assert [row["caption_words"] for row in found] == [3, 5, 4, 2, 4, 5, 0]
    assert found[0]["caption_characters"] == 11


def test_tokens_are_counted_by_clip_or_by_the_tokenizer_that_is_named(tmp_path: Path):
    assert [row["caption_tokens"] for row in measured("A dog runs.", "一只狗在跑", "")] == [4, 12, 0]
    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(tmp_path / "tokenizer.json"))
    [image] = [Image("", PIXELS, b"x", "png", caption="A dog\n runs.")]
    assert CaptionQuality(Params(tokenizer=str(tmp_path))).measure([image])["caption_tokens"].to_pylist() == [3]
    assert CaptionQuality.missing(Params(tokenizer=str(tmp_path))) is None is CaptionQuality.missing(Params())
    assert CaptionQuality.missing(Params(tokenizer=str(tmp_path.parent)))


def test_a_sample_without_caption_has_nulls():
    assert set(measured(None)[0].values()) == {None}


@pytest.mark.parametrize(
    ("fault", "captions"),
    {
        "refusal": [
            "I'm sorry, but I cannot assist with that.",
            "As an AI language model, I do not see images.",
            "抱歉，我无法识别这张图片。",
            "申し訳ありませんが、この画像を説明することはできません。",
            "죄송하지만 이미지를 설명할 수 없습니다.",
            "Lo siento, no puedo ayudar con esta imagen.",
            "Извините, я не могу описать это изображение.",
        ],
        "leftover": [
            "Sure, here is a detailed caption: a dog on grass.",
            "Caption: two people at a table",
            "好的，这是图片的描述：一只猫",
            "A photo of a [insert colour] car",
            "a red car <|im_end|>",
            "Voici la description de l'image",
        ],
        "boilerplate": [
            "Image may contain: 2 people, people standing",
            "Stock photo of a happy family. All rights reserved.",
            "点击查看大图",
            "※画像はイメージです",
            "untitled",
        ],
        "file_name": ["IMG_20230412_101112.jpg", "DSC00123", "holiday (12).png", "Screenshot 2024-01-02 at 10.11.12"],
        "url": ["https://example.org/pictures/1?x=2", "www.example.org"],
        "date": ["2021-03-04", "12/08/2019 10:30"],
        "words": ["", "!!!", "— 12 —"],
    }.items(),
)
def test_what_is_wrong_with_a_caption_is_named(fault: str, captions: list[str]):
    assert {caption: fault_of(caption) for caption in captions} == dict.fromkeys(captions, fault)


def test_good_captions_have_no_fault():
    good = [
        "A ginger tabby cat with green eyes sits on a windowsill.",
        "Okapi in a forest clearing",  # begins like a word of agreement
        "A man clicks a photo of the stock exchange",
        "一只狗在草地上奔跑，背景是雪山。",
        "Ein Hund läuft über die Wiese; rechts steht ein Haus.",
        "Photograph of the I-95 highway, 2021",
        "夕方の海辺を歩く二人の後ろ姿。",
    ]
    assert {caption: fault_of(caption) for caption in good} == dict.fromkeys(good)


def test_what_is_quoted_is_text_in_the_picture_and_no_fault():
    found = measured(
        "A shop door with a sign that says “Sorry, I cannot help you today”.",
        "黑板上写着「抱歉，我无法提供」。",
        "A poster in the style of the 1960s that reads «все права защищены и извините, я не могу помочь»",
    )
    assert [row["caption_fault"] for row in found] == [None] * 3
    assert [row["caption_language"] for row in found] == ["en", "zh", "en"]


def test_repetition_is_the_share_of_what_was_said_before():
    assert repetition(["a", "red", "car", "on", "a", "road"]) == 0
    assert repetition(["a", "red", "car"] * 10) == pytest.approx(1 - 3 / 28)
    assert repetition(["cat"] * 2) == 0.5
    assert repetition([]) == repetition(["cat"]) == 0


@given(st.text(max_size=200))
def test_any_text_is_measured(caption: str):
    [row] = measured(caption)
    assert row["caption_characters"] >= 0 and 0 <= row["caption_repetition"] <= 1
