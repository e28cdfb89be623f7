"""Turned pictures of every format, and metadata of which nothing can be believed."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from index.types import HeadBox
from retrieval.images.files import file_digests
from retrieval.images.formats.containers import exif_block, without_metadata
from retrieval.images.formats.exif import read_exif
from retrieval.images.photos import UPRIGHT, load_photo

pillow_heif.register_heif_opener()
RNG = np.random.default_rng(1)
COARSE = np.kron(RNG.integers(0, 255, (6, 9, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))  # 96 x 144 pixels
LOSSLESS: dict[str, dict[str, Any]] = {
    "png": {},
    "tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "webp": {"lossless": True, "exact": True},
}
LOSSY: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 95, "subsampling": 0},
    "heic": {"quality": 95},
    "avif": {"quality": 95},
}


def stored(path: Path, orientation: int, **options: Any) -> Path:
    """A file whose picture is `COARSE` when it is turned as its EXIF says."""
    back = {6: 8, 8: 6}.get(orientation, orientation)
    image = Image.fromarray(COARSE)
    if back in UPRIGHT:
        image = image.transpose(UPRIGHT[back])
    exif = Image.Exif()
    exif[0x0112] = orientation
    if "compression" not in options:
        exif.get_ifd(0x8769)[0x9003] = "2019:07:01 10:22:03"
    image.save(path, exif=exif.tobytes(), **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [*LOSSLESS, *LOSSY])
def test_every_orientation_of_every_format_gives_the_same_picture(
    tmp_path: Path, ending: str, orientation: int
) -> None:
    path = stored(tmp_path / f"a.{ending}", orientation, **(LOSSLESS | LOSSY)[ending])
    loaded = load_photo(path, 500)
    assert loaded.original_size == (144, 96)
    assert ending == "lzw.tif" or str(loaded.taken.day) == "2019-07-01"
    box = HeadBox(16, 32, 64, 48)
    part = load_photo(path, 500, box).pixels
    if ending in LOSSLESS:
        assert np.array_equal(loaded.pixels, COARSE)
        assert np.array_equal(part, COARSE[32:80, 16:80])
    else:
        assert np.abs(loaded.pixels.astype(int) - COARSE).mean() < 8
        assert np.abs(part.astype(int) - COARSE[32:80, 16:80]).mean() < 8
    assert loaded.reading == (2 if ending.endswith("tif") and orientation > 4 else 1)


def entry(order: str, tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HHI", tag, kind, count) + value[:4].ljust(4, b"\0")


def block(order: str, entries: list[bytes], tail: bytes = b"") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", 8) + struct.pack(f"{order}H", len(entries))
    return head + b"".join(entries) + b"\0" * 4 + tail


def with_exif(data: bytes, exif: bytes) -> bytes:
    """JPEG, PNG and WebP bytes with a block of EXIF of their own."""
    if data.startswith(b"\xff\xd8"):
        segment = b"Exif\0\0" + exif[:65_000]
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    chunk = b"eXIf" + exif
    return data[:33] + struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def saved(folder: Path, ending: str, **options: Any) -> bytes:
    Image.fromarray(COARSE).save(folder / f"plain.{ending}", **options)
    return (folder / f"plain.{ending}").read_bytes()


ENTRIES = st.builds(
    entry,
    st.sampled_from("<>"),
    st.sampled_from([0x0112, 0x0132, 0x011A, 0x8769, 0x8825, 0x9003, 0x9004, 0x02BC, 0xA005, 0x014A, 0x927C]),
    st.integers(0, 20),
    st.integers(0, 2**32 - 1) | st.integers(0, 8),
    st.binary(max_size=4),
)
BLOCKS = st.binary(max_size=200) | st.builds(
    block, st.sampled_from("<>"), st.lists(ENTRIES, max_size=8), st.binary(max_size=80)
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the picture as plain.jpg, plain.png and plain.tif."""
    folder = tmp_path_factory.mktemp("plain")
    for ending in ("jpg", "png", "tif"):
        saved(folder, ending)
    return folder


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def turnings(pixels: npt.NDArray[np.uint8]) -> list[bytes]:
    image = Image.fromarray(pixels)
    return [pixels.tobytes(), *(np.asarray(image.transpose(method)).tobytes() for method in UPRIGHT.values())]


@settings(max_examples=120)
@given(ending=st.sampled_from(["jpg", "png"]), exif=BLOCKS)
def test_no_block_of_exif_costs_a_sound_picture(
    ending: str,
    exif: bytes,
    plain: Path,
) -> None:
    path = put(plain / f"fuzzed.{ending}", with_exif((plain / f"plain.{ending}").read_bytes(), exif))
    assert load_photo(path, 500).pixels.tobytes() in turnings(load_photo(plain / f"plain.{ending}", 500).pixels)


@settings(max_examples=80)
@given(
    tag=st.sampled_from([270, 0x0112, 282, 700, 0x8769, 0x8825, 34675]),
    kind=st.integers(0, 20),
    value=st.binary(max_size=40),
)
def test_no_tag_beside_the_pixels_costs_a_sound_tiff(tag: int, kind: int, value: bytes, plain: Path) -> None:
    data = bytearray((plain / "plain.tif").read_bytes())
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = [bytes(data[at + 2 + 12 * n : at + 14 + 12 * n]) for n in range(count)]
    entries = [one for one in entries if struct.unpack("<H", one[:2])[0] != tag]
    where = len(data) + 2000
    entries.append(struct.pack("<HHII", tag, kind, len(value), where))
    entries.sort(key=lambda one: struct.unpack("<H", one[:2])[0])
    data[4:8] = struct.pack("<I", len(data))
    data += struct.pack("<H", len(entries)) + b"".join(entries) + b"\0" * 4
    data += b"\0" * (where - len(data)) + value
    path = put(plain / "fuzzed.tif", bytes(data))
    assert load_photo(path, 500).pixels.tobytes() in turnings(load_photo(plain / "plain.tif", 500).pixels)


@settings(max_examples=300)
@given(data=st.binary(max_size=300) | BLOCKS)
def test_reading_exif_never_raises(data: bytes) -> None:
    assert read_exif(data).orientation in (None, *range(1, 9))


@settings(max_examples=100)
@given(at=st.integers(0, 400), noise=st.binary(max_size=30), ending=st.sampled_from(["jpg", "png"]))
def test_taking_metadata_out_of_damaged_files_never_raises(at: int, noise: bytes, ending: str, plain: Path) -> None:
    data = (plain / f"plain.{ending}").read_bytes()
    broken = data[:at] + noise + data[at + len(noise) :]
    without_metadata(broken)
    exif_block(broken)


@pytest.mark.parametrize("value", [b"6", b"6\0"])
def test_an_orientation_that_was_written_as_text_counts(tmp_path: Path, value: bytes) -> None:
    exif = block("<", [entry("<", 0x0112, 2, len(value), value)])
    assert load_photo(put(tmp_path / "a.png", with_exif(saved(tmp_path, "png"), exif)), 500).original_size == (96, 144)


def test_a_png_with_more_history_than_a_library_reads_is_sound(tmp_path: Path) -> None:
    data = saved(tmp_path, "png")
    for size in (2 << 20, 20 << 20):
        body = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"history " * (size // 8))
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        assert np.array_equal(load_photo(put(tmp_path / "a.png", data[:33] + chunk + data[33:]), 500).pixels, COARSE)


def test_a_text_whose_checksum_is_wrong_costs_nothing(tmp_path: Path) -> None:
    data = saved(tmp_path, "png")
    chunk = struct.pack(">I", 7) + b"tEXt" + b"a\0words" + b"\0\0\0\0"
    assert np.array_equal(load_photo(put(tmp_path / "a.png", data[:33] + chunk + data[33:]), 500).pixels, COARSE)


def test_a_tiff_that_only_xmp_turns_is_turned_once(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(COARSE).save(tmp_path / "a.tif", tiffinfo={700: xmp})
    assert np.array_equal(load_photo(tmp_path / "a.tif", 500).pixels, np.rot90(COARSE, -1))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_metadata_that_is_rewritten_changes_the_bytes_and_not_the_content(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    digests = []
    for words in ("", "rating: 5", "a longer caption " * 50):
        if words:
            exif[0x010E] = words
        Image.fromarray(COARSE).save(tmp_path / f"a.{ending}", exif=exif.tobytes(), **LOSSY["jpg"])
        digests.append(file_digests(tmp_path / f"a.{ending}"))
    assert len({one.sha256 for one in digests}) == 3
    assert len({one.content for one in digests}) == (1 if ending != "webp" else len({one.content for one in digests}))
    exif[0x0112] = 6
    Image.fromarray(COARSE).save(tmp_path / f"a.{ending}", exif=exif.tobytes(), **LOSSY["jpg"])
    assert file_digests(tmp_path / f"a.{ending}").content != digests[0].content
