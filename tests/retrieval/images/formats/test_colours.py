"""What cannot be seen is not measured, and what can be seen is measured as it looks."""

import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageCms

from index.errors import PhotoUnreadable
from index.types import HeadBox
from retrieval.images.earlier import earlier_reading
from retrieval.images.formats.colours import GROUND, flattened, in_srgb
from retrieval.images.photos import load_photo

pillow_heif.register_heif_opener()
RNG = np.random.default_rng(2)
NOISE = RNG.integers(0, 255, (60, 80, 3), dtype=np.uint8)
OTHER = RNG.integers(0, 255, (60, 80, 3), dtype=np.uint8)
SAVING: dict[str, dict[str, Any]] = {"webp": {"lossless": True}, "jpg": {"quality": 95, "subsampling": 0}}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SEEN = np.zeros((60, 80), bool)
SEEN[10:50, 20:70] = True


def cut_out(pixels: np.ndarray, hidden: np.ndarray) -> Image.Image:
    image = Image.fromarray(np.where(SEEN[..., None], pixels, hidden))
    image.putalpha(Image.fromarray(np.where(SEEN, 255, 0).astype(np.uint8)))
    return image


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "avif", "heic"])
def test_pixels_under_transparency_are_not_read(tmp_path: Path, ending: str) -> None:
    options: dict[str, Any] = {"webp": {"lossless": True, "exact": True}}.get(ending, {})
    for name, hidden in (("a", OTHER), ("b", np.full_like(NOISE, 255))):
        cut_out(NOISE, hidden).save(tmp_path / f"{name}.{ending}", **options)
    first, second = (load_photo(tmp_path / f"{name}.{ending}", 500) for name in "ab")
    assert first.reading == second.reading == 2
    if ending in ("png", "tif", "webp"):
        assert np.array_equal(first.pixels, second.pixels)
        assert np.array_equal(first.pixels, NOISE[10:50, 20:70])
    else:
        corner = load_photo(tmp_path / f"a.{ending}", 500, HeadBox(0, 0, 80, 60)).pixels[:8, :12]
        assert np.abs(corner.astype(int) - GROUND).max() < 40


@settings(max_examples=60)
@given(mode=st.sampled_from(["RGBA", "LA", "PA"]), seed=st.integers(0, 2**32 - 1))
def test_hidden_colours_change_nothing(mode: str, seed: int) -> None:
    chance = np.random.default_rng(seed)
    alpha = Image.fromarray(chance.choice([0, 0, 255, 100], (12, 12)).astype(np.uint8))
    bands = 1 if mode == "LA" else 3
    pixels = chance.integers(0, 255, (2, 12, 12, bands), dtype=np.uint8)
    pixels[1] = np.where((np.asarray(alpha) == 0)[..., None], pixels[1], pixels[0])
    shown = []
    for one in pixels:
        image = Image.fromarray(one.squeeze()).convert("L" if bands == 1 else "RGB")
        image.putalpha(alpha)
        if mode == "PA":
            image = image.convert("RGBA")
        seen, visible = flattened(image)
        assert (visible is None) == (np.asarray(alpha).min() == 255)
        shown.append(np.asarray(seen.convert("RGB")))
    assert np.array_equal(shown[0], shown[1])


def test_a_transparent_colour_of_a_palette_is_not_read(tmp_path: Path) -> None:
    image = Image.fromarray(RNG.integers(0, 4, (60, 80), dtype=np.uint8)).convert("P")
    image.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 90, 90, 90])
    image.save(tmp_path / "a.png", transparency=2)
    pixels = load_photo(tmp_path / "a.png", 500).pixels
    assert (pixels[np.asarray(image) == 2] == GROUND).all()
    assert (pixels[np.asarray(image) == 0] == (200, 10, 10)).all()


def test_what_is_opaque_is_read_as_before(tmp_path: Path) -> None:
    image = Image.fromarray(NOISE)
    image.putalpha(255)
    image.save(tmp_path / "a.png")
    loaded = load_photo(tmp_path / "a.png", 500)
    assert loaded.reading == 1
    assert np.array_equal(loaded.pixels, NOISE)


def swapped_profile() -> bytes:
    """A profile of a matrix whose red and green primaries are those of sRGB the other way round."""
    data = bytearray(SRGB)
    count = int.from_bytes(data[128:132], "big")
    places = {bytes(data[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_colour_profiles_are_converted(tmp_path: Path, ending: str) -> None:
    flat = np.kron(RNG.integers(30, 220, (3, 4, 3), dtype=np.uint8), np.ones((32, 32, 1), np.uint8))
    options: dict[str, Any] = SAVING.get(ending, {})
    Image.fromarray(flat).save(tmp_path / f"a.{ending}", icc_profile=swapped_profile(), **options)
    loaded = load_photo(tmp_path / f"a.{ending}", 500)
    assert loaded.reading == 2
    assert np.abs(loaded.pixels.astype(int) - flat[..., [1, 0, 2]]).mean() < 6


@pytest.mark.parametrize("profile", [b"", b"\0" * 500, b"no profile", SRGB])
def test_profiles_of_srgb_and_broken_ones_change_nothing(tmp_path: Path, profile: bytes) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.png", icc_profile=profile)
    loaded = load_photo(tmp_path / "a.png", 500)
    assert np.array_equal(loaded.pixels, NOISE)
    assert loaded.reading == 1


def test_greys_and_inks_with_a_profile_of_another_kind_are_read() -> None:
    for mode in ("L", "CMYK"):
        image = Image.fromarray(NOISE).convert(mode)
        seen, converted = in_srgb(image, swapped_profile())
        assert not converted
        assert np.array_equal(np.asarray(seen), np.asarray(image.convert("RGB")))


def test_inks_of_adobe_are_not_inverted(tmp_path: Path) -> None:
    smooth = np.kron(RNG.integers(0, 255, (4, 5, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))
    Image.fromarray(smooth).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(load_photo(tmp_path / "a.jpg", 500).pixels.astype(int) - smooth).mean() < 8


@pytest.mark.parametrize("numbers", [np.float32, np.uint16, np.int32])
def test_greys_of_many_bits_are_stretched(tmp_path: Path, numbers: type[np.generic]) -> None:
    ramp = np.linspace(0, 4095, 60 * 80).reshape(60, 80)
    if numbers is np.float32:
        ramp = ramp / 4095 - 0.25  # and some of them below zero
        ramp[0, 5] = np.nan
    Image.fromarray(ramp.astype(numbers)).save(tmp_path / "a.tif")
    pixels = load_photo(tmp_path / "a.tif", 500).pixels
    assert pixels.max() == 255
    assert 110 < pixels.mean() < 140


def test_the_first_of_several_pages_is_read_and_that_is_said(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(np.roll(NOISE, n)) for n in range(3))
    for ending in ("tif", "mpo"):
        first.save(tmp_path / f"a.{ending}", save_all=True, append_images=others)
        loaded = load_photo(tmp_path / f"a.{ending}", 500)
        assert loaded.remarks == ("holds 3 pictures: the first one was read",)
    assert np.array_equal(load_photo(tmp_path / "a.tif", 500).pixels, NOISE)


def test_films_are_named_as_films(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypqt  " + b"\0" * 500)
    with pytest.raises(PhotoUnreadable, match="is a film"):
        load_photo(tmp_path / "a.jpg", 500)


@pytest.mark.parametrize("ending", ["tif", "png"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_colours_of_ten_to_fourteen_bits_are_not_dark(tmp_path: Path, ending: str, bits: int) -> None:
    bright = NOISE.copy()
    bright[0, 0] = 255
    deep = np.round(bright.astype(np.float64) * (2**bits - 1) / 255).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / f"a.{ending}"), deep[..., ::-1])
    loaded = load_photo(tmp_path / f"a.{ending}", 500)
    assert np.abs(loaded.pixels.astype(int) - bright).max() <= 1
    assert loaded.reading == 3
    found = earlier_reading(tmp_path / f"a.{ending}", None, 64)
    assert found is not None
    assert found.reading == 3


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_colours_of_sixteen_bits_are_read_as_before(tmp_path: Path, ending: str) -> None:
    bright = NOISE.copy()
    bright[0, 0] = 255
    assert cv2.imwrite(str(tmp_path / f"a.{ending}"), (bright.astype(np.uint16) * 257)[..., ::-1])
    loaded = load_photo(tmp_path / f"a.{ending}", 500)
    assert np.array_equal(loaded.pixels, bright)
    assert loaded.reading == 1


def test_a_dark_picture_whose_file_names_its_brightest_value_stays_dark(tmp_path: Path) -> None:
    dark = (NOISE // 8).astype(np.uint16) * 16
    assert cv2.imwrite(str(tmp_path / "plain.png"), dark[..., ::-1])
    data = (tmp_path / "plain.png").read_bytes()
    body = b"sBIT" + bytes([12, 12, 12])
    chunk = (3).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
    assert np.abs(load_photo(tmp_path / "a.png", 500).pixels.astype(int) - NOISE // 8).max() <= 1
