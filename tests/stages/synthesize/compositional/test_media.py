from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataengine.errors import SampleError, StageError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize import palette
from stages.synthesize.compositional import choices, draw, light, warp
from stages.synthesize.compositional.media import INKS, MEDIA, Medium
from stages.synthesize.compositional.scenes import PLACES
from stages.synthesize.compositional.view import Pose, frame
from stages.synthesize.compositional.writing import Hand, covers, write
from stages.synthesize.scene import Drawn
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import Supply

LANGUAGES = ("en", "zh-Hans", "ar", "hi", "th")
SMALLEST = 12


@pytest.fixture(scope="module")
def setter() -> Typesetter:
    return Typesetter([family for language in LANGUAGES for family in catalog.for_language(language)])


def picture(
    setter: Typesetter, medium: str, language: str = "en", index: int = 0, size: tuple[int, int] = (512, 512), **options
) -> Drawn:
    """A picture; where the family that was drawn lacks a character of the text, the next one."""
    for attempt in range(12):
        rng = generator("test", attempt, index)
        try:
            return draw(
                rng,
                setter=setter,
                supply=Supply("udhr", language, rng),
                families=catalog.for_language(language),
                size=size,
                **{"smallest": SMALLEST, "contrast": 4.5, "media": [medium], **options},
            )
        except SampleError:
            continue
    raise AssertionError(f"{medium} cannot be drawn in {language}")


@pytest.mark.parametrize("medium", MEDIA, ids=lambda m: m.name)
def test_every_medium_is_complete(setter: Typesetter, medium: Medium):
    language = LANGUAGES[MEDIA.index(medium) % len(LANGUAGES)]
    found = picture(setter, medium.name, language)
    assert found.pixels.shape == (512, 512, 3) and found.pixels.dtype == np.uint8
    assert found.pixels.std() > 8
    assert found.scene.kind == found.meta["medium"] == medium.name
    assert [said.text for said in found.scene.texts] == [paragraph.content for paragraph in found.paragraphs]
    assert [said.ink for said in found.scene.texts] == found.meta["inks"]
    assert min(found.meta["contrast"]) >= 4.5
    for paragraph in found.paragraphs:
        corners = paragraph.characters.quads.reshape(-1, 2)
        assert (corners >= 0).all() and (corners <= 512).all()
        assert paragraph.size >= SMALLEST


@pytest.mark.parametrize("medium", [m for m in MEDIA if not m.wall], ids=lambda m: m.name)
def test_text_lies_within_the_medium_and_the_picture(medium: Medium):
    for index in range(12):
        pose = Pose.draw(generator("pose", 0, index))
        for close in (False, True):
            view = frame(medium, (400, 600), replace(pose, close=close), 1.0)
            left, top, right, bottom = view.area
            assert 0 < left < right < view.width and 0 < top < bottom < view.height
            text = view.chain.forward(warp.grid(*view.area, 17))
            sheet = view.chain.forward(warp.edge(view.width, view.height))
            for places in (text,) if view.close else (text, sheet):
                assert (places >= -0.5).all() and (places <= [400.5, 600.5]).all()
            assert view.close == (close and medium.close)


@pytest.mark.parametrize(
    "name", ["a sheet of paper", "a sticky note", "an open book", "a fabric banner", "a billboard"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_ink_of_each_character_lies_in_its_quadrilateral(setter: Typesetter, name: str, language: str):
    medium = next(m for m in MEDIA if m.name == name)
    families = catalog.for_language(language)
    rng = generator("ink", 3, LANGUAGES.index(language))
    view = frame(medium, (512, 512), Pose.draw(rng), 1.0)
    for _ in range(12):
        try:
            hand = Hand.draw(rng, medium, families, language)
            written = write(view, hand, {}, setter, Supply("udhr", language, rng), SMALLEST, language == "ar")
            break
        except SampleError:
            continue
    count = 0
    for row in (0, 1, 2, 5, 9, 14, 20, 33, 47):
        inked, geometries = covers(setter, written, view, only=row)
        for cover, geometry in zip(inked, geometries, strict=True):
            if row >= len(geometry.characters.texts):
                continue
            seen = warp.warp(cover, view.chain, (0, 0, 512, 512))
            quad = view.chain.quads(geometry.characters.quads[row : row + 1]).reshape(4, 2)
            inside = np.zeros_like(seen)
            cv2.fillPoly(inside, [np.rint((quad - 0.5) * 16).astype(np.int32)], 255, shift=4)
            inside = cv2.dilate(inside, np.ones((3, 3), np.uint8))
            assert (seen > 128).any(), geometry.characters.texts[row]
            assert not ((seen > 96) & (inside == 0)).any(), geometry.characters.texts[row]
            count += 1
    assert count >= 3


@pytest.mark.parametrize("name", ["a sticky note", "an open book"])
def test_vertical_lines_run_downwards_and_go_on_to_the_left(setter: Typesetter, name: str):
    medium = next(m for m in MEDIA if m.name == name)
    rng = generator("vertical", 1, 0)
    hand = replace(Hand.draw(rng, medium, catalog.for_language("zh-Hans"), "zh-Hans"), vertical=True)
    view = frame(medium, (512, 512), Pose.draw(rng), 0.0)
    written = write(view, hand, {}, setter, Supply("udhr", "zh-Hans", rng), SMALLEST, False)
    assert [text.x for text in written] == sorted((text.x for text in written), reverse=True)
    for geometry in covers(setter, written, view)[1]:
        for line, words in zip(geometry.lines.quads.reshape(-1, 4, 2), geometry.lines.texts, strict=True):
            across, down = np.ptp(line, axis=0)
            assert down > across or len(words) == 1
        middles = geometry.lines.quads.reshape(-1, 4, 2)[:, :, 0].mean(axis=1)
        assert (np.diff(middles) < 0).all()
    assert not any(
        m.level and Hand.draw(rng, m, catalog.for_language("zh-Hans"), "zh-Hans").vertical for m in MEDIA * 8
    )


def test_text_is_darker_or_lighter_than_what_is_around_it(setter: Typesetter):
    """The ink can be read in the finished picture: most of each line's box is surface, some of it is ink."""
    for medium in MEDIA:
        found = picture(setter, medium.name, index=4)
        for paragraph in found.paragraphs:
            quad = paragraph.lines.quads[0].reshape(4, 2).astype(np.float32)
            target = np.array([[0, 0], [200, 0], [200, 40], [0, 40]], np.float32)
            line = cv2.warpPerspective(found.pixels, cv2.getPerspectiveTransform(quad, target), (200, 40))
            grey = cv2.cvtColor(line, cv2.COLOR_RGB2GRAY)
            dark, light_ = (tuple(np.full(3, int(np.percentile(grey, p)))) for p in (3, 97))
            assert palette.contrast(tuple(map(int, dark)), tuple(map(int, light_))) > 2.5, medium.name


def test_the_same_lots_draw_the_same_pixels(setter: Typesetter):
    for name in ("a sheet of crumpled paper", "a neon sign", "a phone screen"):
        first, again = (picture(setter, name, index=7) for _ in range(2))
        assert np.array_equal(first.pixels, again.pixels)
        assert first.meta == again.meta
        assert not np.array_equal(first.pixels, picture(setter, name, index=8).pixels)


def test_a_large_smallest_size_makes_the_view_milder(setter: Typesetter):
    for index in range(6):
        found = picture(setter, "a sheet of paper", index=index, smallest=17)
        assert all(paragraph.size >= 17 for paragraph in found.paragraphs)


@pytest.mark.parametrize("size", [(64, 64), (700, 90), (90, 700)], ids=str)
def test_any_size_is_drawn_or_refused(setter: Typesetter, size: tuple[int, int]):
    drawn = 0
    for number, medium in enumerate(MEDIA):
        rng = generator("size", 1, number)
        supply = Supply("udhr", "en", rng)
        families = catalog.for_language("en")
        options = {"size": size, "smallest": 5, "contrast": 7, "media": [medium.name]}
        try:
            found = draw(rng, setter=setter, supply=supply, families=families, **options)
        except SampleError:
            continue
        drawn += 1
        assert found.pixels.shape == (size[1], size[0], 3)
        assert min(found.meta["contrast"]) >= 7
    assert drawn > len(MEDIA) / 2


def test_photographs_stand_behind(setter: Typesetter, tmp_path: Path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((90, 160, 3), (20, 20, 220), np.uint8))
    found = picture(setter, "a chalkboard", photographs=[tmp_path / "red.png"])
    assert found.scene.surroundings == "a photograph" and found.meta["photograph"] == "red.png"
    red, green, _ = found.pixels[4, 4].astype(int)
    assert red > 2 * green


def test_textures_of_ones_own_are_media(setter: Typesetter, tmp_path: Path):
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "old-parchment.png"), rng.integers(190, 230, (80, 80, 3)).astype(np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    own = choices(["a chalkboard"], tmp_path)
    assert [medium.name for medium in own] == ["a chalkboard", "a textured surface"]
    materials = {picture(setter, "a chalkboard", index=i, textures=tmp_path).scene.background for i in range(8)}
    assert "old parchment" in materials


def test_what_is_wrong_is_said(setter: Typesetter, tmp_path: Path):
    with pytest.raises(StageError, match=r"no medium 'a chalk board'.*a chalkboard"):
        choices(["a chalk board"], None)
    with pytest.raises(StageError, match="holds no pictures"):
        choices([], tmp_path)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    with pytest.raises(StageError, match=r"broken\.jpg is not a picture"):
        picture(setter, "a chalkboard", photographs=[broken])
    rng = generator("test", 0, 0)
    with pytest.raises(SampleError, match="do not fit"):
        draw(
            rng,
            setter=setter,
            supply=Supply("udhr", "en", rng),
            families=catalog.for_language("en")[:1],
            size=(256, 256),
            smallest=120,
            contrast=4.5,
            media=["an open book"],
        )


def test_data_of_the_media_holds_together():
    assert len({medium.name for medium in MEDIA}) == len(MEDIA) >= 14
    for medium in MEDIA:
        assert set(medium.inks) <= set(INKS)
        assert set(medium.scenes) <= set(PLACES)
        assert medium.scenes or medium.wall
    assert {scene for medium in MEDIA for scene in medium.scenes} == set(PLACES)


@pytest.mark.parametrize("place", PLACES.values(), ids=lambda p: p.name)
def test_places_are_painted_at_any_size(place):
    rng = generator("place", 0, 0)
    for width, height in ((300, 200), (64, 900)):
        pixels = place.paint(rng, width, height, light.draw(rng))
        assert pixels.shape == (height, width, 3) and pixels.dtype == np.uint8
