"""Watermarks: what they say is known, and what signs and pages say is none."""

import pytest

from stages.measure.watermark import marks, repeats


@pytest.mark.parametrize(
    "line",
    [
        "© 2024 Jane Doe",
        "www.photos-for-all.net",
        "bestpictures.com",
        "shutterstock",
        "Getty Images",
        "SAMPLE",
        "图虫创意",
        "@street.photographer",
        "All rights reserved",
        "版权所有",
        "无断转载 水印",
        "Anna Berger Photography",
        "Photo by J. Doe",
    ],
)
def test_a_mark_is_known(line: str):
    assert marks(["words before", line]) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "Open daily from 9 to 5",
        "No. 12.5",
        "a free sample for you",
        "STOP",
        "营业时间",
        "e.g. this",
        "Dr.Net",
        "A@B",
        "photography",
        "School of modern and applied photography",
        "No photos, please",
    ],
)
def test_a_sign_is_no_mark(line: str):
    assert marks([line]) == []


def test_repeats_are_counted_whatever_their_case():
    assert repeats(["Sample", "SAMPLE", "sam ple", "other", "of", "of", "of", "of"]) == 3
    assert repeats([]) == 0


def test_a_repeated_line_is_known_by_its_pieces_too():
    assert repeats(["stockphoto", "ckphoto", "StockP", "stock photo", "oto", "photographs"]) == 4
    assert (
        repeats(["the", "other", "their", "weather"]) == 2
    )  # "the" is half of "other" and of "their", not of the last
