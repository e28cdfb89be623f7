"""Raw files: a DNG that is made here, what is no raw file at all, and what cannot be developed."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index.errors import PhotoUnreadable
from retrieval.images.photos import load_photo

pytest.importorskip("rawpy")
SIZE = 64, 96
SHADES = np.kron(np.random.default_rng(3).integers(2000, 14000, (8, 12)), np.ones((8, 8), int)).astype("<u2")


def short(value: int) -> bytes:
    return struct.pack("<HH", value, 0)


def long(value: int) -> bytes:
    return struct.pack("<I", value)


def dng(path: Path) -> Path:
    """The smallest raw file that LibRaw takes: one plane of a colour filter array."""
    height, width = SIZE
    matrix = b"".join(struct.pack("<ii", round(value * 10_000), 10_000) for value in np.eye(3).ravel())
    texts = {271: b"Maker\0", 272: b"Model\0", 306: b"2019:07:01 10:22:03\0", 50708: b"Maker Model\0", 50721: matrix}
    entries: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, long(0)),
        (256, 4, 1, long(width)),
        (257, 4, 1, long(height)),
        (258, 3, 1, short(16)),
        (259, 3, 1, short(1)),
        (262, 3, 1, short(32803)),
        (271, 2, 6, texts[271]),
        (272, 2, 6, texts[272]),
        (273, 4, 1, long(4096)),
        (277, 3, 1, short(1)),
        (278, 4, 1, long(height)),
        (279, 4, 1, long(height * width * 2)),
        (306, 2, 20, texts[306]),
        (33421, 3, 2, struct.pack("<HH", 2, 2)),
        (33422, 1, 4, bytes([0, 1, 1, 2])),
        (50706, 1, 4, bytes([1, 4, 0, 0])),
        (50708, 2, 12, texts[50708]),
        (50717, 4, 1, long(16383)),
        (50721, 10, 9, matrix),
        (50778, 3, 1, short(21)),
    ]
    body, data, start = struct.pack("<H", len(entries)), b"", 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        if len(value) <= 4:
            body += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        else:
            body += struct.pack("<HHII", tag, kind, count, start + len(data))
            data += value + b"\0" * (len(value) % 2)
    whole = b"II*\0" + struct.pack("<I", 8) + body + b"\0" * 4 + data
    path.write_bytes(whole.ljust(4096, b"\0") + SHADES.tobytes())
    return path


def test_a_raw_file_is_developed_whole(tmp_path: Path) -> None:
    for name in ("a.dng", "a.tif"):
        loaded = load_photo(dng(tmp_path / name), 500)
        assert loaded.original_size == SIZE[::-1]
        shown = loaded.pixels.mean(axis=2)[4::8, 4::8].ravel()
        assert np.corrcoef(shown, SHADES[4::8, 4::8].ravel())[0, 1] > 0.9
    assert str(loaded.taken.day) == "2019-07-01"


def test_a_picture_under_a_raw_file_s_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(4).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.NEF")
    assert np.array_equal(load_photo(tmp_path / "a.NEF", 500).pixels, pixels)


@pytest.mark.parametrize(
    "start", [b"IIRO\x08\0\0\0", b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx ", b"II*\0\x10\0\0\0CR\2\0"]
)
def test_what_cannot_be_developed_is_called_a_raw_file(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(start + b"\0" * 4000)
    with pytest.raises(PhotoUnreadable, match="raw file that cannot be developed"):
        load_photo(tmp_path / "a.jpg", 500)
