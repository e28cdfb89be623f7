import datetime as dt
import io
import math
import os
import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from index.errors import InputError, NoPhotos, PhotoTooLarge, PhotoUnreadable
from index.types import HeadBox
from retrieval.images.files import file_sha256, read_bytes
from retrieval.images.folders import Passed, find_photos
from retrieval.images.photos import DECODED_WHOLE, load_photo, reducible
from retrieval.images.pictures import decode, jpeg, quality, save

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 255, (90, 160, 3), dtype=np.uint8)


def photo(path: Path, pixels: np.ndarray = NOISE, exif: Image.Exif | None = None) -> Path:
    Image.fromarray(pixels).save(path, exif=exif or Image.Exif())
    return path


def test_the_working_image_keeps_its_shape_and_is_never_enlarged(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png")
    assert load_photo(path, 80).pixels.shape == (45, 80, 3)
    assert np.array_equal(load_photo(path, 500).pixels, NOISE)
    assert load_photo(path, 80).original_size == (160, 90)


def test_exif_turns_the_photo_and_dates_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif.get_ifd(0x8769)[0x9003] = "2019:07:01 10:22:03"
    loaded = load_photo(photo(tmp_path / "a.png", exif=exif), 500)
    assert loaded.taken.day == dt.date(2019, 7, 1)
    assert loaded.original_size == (90, 160)
    assert np.array_equal(loaded.pixels, np.rot90(NOISE, -1))


def test_the_head_box_is_cut_before_resizing(tmp_path: Path) -> None:
    loaded = load_photo(photo(tmp_path / "a.png"), 20, HeadBox(100, 10, 40, 20))
    assert loaded.pixels.shape == (10, 20, 3)
    whole = load_photo(tmp_path / "a.png", 500, HeadBox(100, 10, 40, 20))
    assert np.array_equal(whole.pixels, NOISE[10:30, 100:140])


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_smaller_and_its_head_box_still_cut_right(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.asarray(Image.fromarray(RNG.integers(0, 255, (9, 13, 3), dtype=np.uint8)).resize((2000, 1400)))
    path = photo(tmp_path / "large.jpg", pixels, exif)
    upright = pixels if orientation == 1 else np.rot90(pixels, -1)
    for box in (None, HeadBox(301, 203, 797, 601)):
        loaded = load_photo(path, 90, box)
        part = upright if box is None else upright[203:804, 301:1098]
        expected = Image.fromarray(part).resize(loaded.pixels.shape[1::-1], Image.Resampling.BOX)
        assert max(loaded.pixels.shape) == 90
        assert loaded.original_size == upright.shape[1::-1]
        assert np.abs(loaded.pixels.astype(int) - np.asarray(expected)).mean() < 2


def test_sixteen_bit_greys_are_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 100 * 100).reshape(100, 100).astype(np.uint16)
    pixels = load_photo(photo(tmp_path / "a.png", ramp), 500).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert 100 < pixels.mean() < 155


def unreadable(folder: Path) -> dict[str, Path]:
    whole = photo(folder / "whole.jpg").read_bytes()
    files = {"empty": b"", "truncated": whole[: len(whole) // 2], "no image": b"turtle " * 50}
    for name, data in files.items():
        (folder / f"{name}.jpg").write_bytes(data)
    return {name: folder / f"{name}.jpg" for name in files} | {"missing": folder / "none.jpg", "a folder": folder}


@pytest.mark.parametrize("name", ["empty", "truncated", "no image", "missing", "a folder"])
def test_a_photo_that_cannot_be_read_is_named_in_one_sentence(tmp_path: Path, name: str) -> None:
    path = unreadable(tmp_path)[name]
    with pytest.raises(PhotoUnreadable) as caught:
        load_photo(path, 100)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_box_beside_the_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoUnreadable, match="lies outside"):
        load_photo(photo(tmp_path / "a.png"), 100, HeadBox(500, 500, 10, 10))


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    Image.new("1", (8, 8)).save(tmp_path / "bomb.png")
    data = bytearray((tmp_path / "bomb.png").read_bytes())
    data[16:24] = struct.pack(">II", 60_000, 50_000)  # the size that the header claims, and its checksum
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(PhotoTooLarge), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load_photo(tmp_path / "bomb.png", 100)


def test_photos_are_found_in_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/1.png", ".hidden/3.jpg", "b/notes.txt", "b/._4.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(find_photos(tmp_path)) == [tmp_path / "a/1.png", tmp_path / "b/2.JPG"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPhotos, match="holds no photo"):
        list(find_photos(tmp_path / "empty"))


def test_what_else_lies_in_folders_is_counted_and_named(tmp_path: Path) -> None:
    wanted = ["T1/1.jfif", "T2/2.jpe", "T3/3.MPO", "T4/4.HEIC", "T5/5.hif", "T6/6.avif", "T7/7.NEF", "T8/8.CR3"]
    others = ["T1/notes.txt", "T2/.DS_Store", "@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg", "#recycle/2.jpg", "Thumbs.db"]
    others += ["__MACOSX/T1/._1.jpg", "$RECYCLE.BIN/x.jpg", "T9/film.MOV", "T9/film.mov", "T9/README"]
    for name in (*wanted, *others):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    passed = Passed()
    assert list(find_photos(tmp_path, passed)) == [tmp_path / name for name in wanted]
    assert passed.endings == {".mov": 2, ".txt": 1, ".db": 1, "": 1}
    assert (passed.machines, passed.hidden) == (4, 1)
    assert passed.sentences() == [
        "5 files were no photo: 2 .mov, 1 without ending, 1 .db, 1 .txt.",
        "4 folders of thumbnails, bins or systems were passed over.",
        "1 hidden file or folder was passed over.",
    ]
    assert Passed().sentences() == []


def test_folders_behind_links_come_last_and_once(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("root/b/1.jpg", "elsewhere/2.jpg", "elsewhere/deep/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (root / "a").symlink_to(tmp_path / "elsewhere")
    (root / "alias").symlink_to(root / "b")
    (root / "b" / "loop").symlink_to(root)
    (root / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    assert list(find_photos(root)) == [root / "b/1.jpg", root / "a/2.jpg", root / "a/deep/3.jpg"]


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that nobody may look into, beside a photo; root gives up its rights meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "open.jpg").touch()
        (root / "closed").mkdir()
        (root / "closed" / "1.jpg").touch()
        (root / "closed").chmod(0)
        mine = os.geteuid()
        if mine == 0:
            os.seteuid(65534)
        yield root
        os.seteuid(mine)
        (root / "closed").chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="folders of this system cannot be closed like that")
def test_a_folder_that_may_not_be_looked_into_is_named(closed: Path) -> None:
    assert list(find_photos(closed)) == [closed / "closed", closed / "open.jpg"]
    with pytest.raises(PhotoUnreadable, match=r"cannot be read \(Permission denied\)"):
        read_bytes(closed / "closed")


def test_a_still_gif_is_a_photo_and_a_film_is_none(tmp_path: Path) -> None:
    still, film = photo(tmp_path / "still.gif"), tmp_path / "film.gif"
    frames = [Image.fromarray(np.roll(NOISE, n)) for n in range(3)]
    frames[0].save(film, save_all=True, append_images=frames[1:])
    assert list(find_photos(tmp_path)) == [film, still]
    assert load_photo(still, 500).pixels.shape == NOISE.shape
    with pytest.raises(PhotoUnreadable, match="moving picture"):
        load_photo(film, 500)
    frames[0].save(tmp_path / "pages.mpo", save_all=True, append_images=frames[1:])  # what cameras write as .jpg
    assert load_photo(tmp_path / "pages.mpo", 500).pixels.shape == NOISE.shape


def test_thumbnails_and_pictures_come_back(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (48, 1, 3))
    assert np.abs(decode(jpeg(smooth)).astype(int) - smooth).max() < 12
    save(smooth, tmp_path / "x.png")
    assert np.array_equal(load_photo(tmp_path / "x.png", 100).pixels, smooth)


def test_equal_bytes_have_equal_hashes(tmp_path: Path) -> None:
    a, b = photo(tmp_path / "a.png"), photo(tmp_path / "b.png")
    assert file_sha256(a) == file_sha256(b) == load_photo(a, 50).sha256


def test_quality_falls_with_haze_blur_and_missing_keypoints() -> None:
    sharp = NOISE
    hazy = (NOISE // 8 + 120).astype(np.uint8)
    flat = np.full_like(NOISE, 255)
    assert quality(sharp, 300) > quality(hazy, 300) > quality(flat, 300)
    assert quality(sharp, 300) > quality(sharp, 64)
    assert 0 <= quality(flat, 300) <= quality(sharp, 300) <= 1


def test_a_picture_needs_an_ending_that_names_a_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"use \.png or \.jpg"):
        save(NOISE, tmp_path / "x.picture")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoUnreadable, match="is a pipe or a device"):
        read_bytes(tmp_path / "pipe.jpg")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    odd = photo(tmp_path / "a.jpg").rename(tmp_path / os.fsdecode(b"\xe9.jpg"))
    with pytest.raises(PhotoUnreadable, match="not UTF-8"):
        load_photo(odd, 100)


@pytest.mark.parametrize(("size", "reading"), [((600, 500), 1), ((2000, 1500), 4), ((4000, 3000), 1)])
def test_a_jpeg_is_read_as_its_lossless_copy_up_to_a_size(tmp_path: Path, size: tuple[int, int], reading: int) -> None:
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).resize(size)
    coarse.save(tmp_path / "a.jpg", quality=92)
    with Image.open(tmp_path / "a.jpg") as decoded:
        decoded.save(tmp_path / "a.png", compress_level=1)
    of_jpeg, of_png = (load_photo(tmp_path / f"a.{ending}", 320) for ending in ("jpg", "png"))
    apart = np.abs(of_jpeg.pixels.astype(int) - of_png.pixels)
    whole = size[0] * size[1] <= DECODED_WHOLE
    assert (apart.max() == 0) == whole
    assert apart.mean() < 1
    assert of_jpeg.reading == reading


@settings(max_examples=40)
@given(width=st.integers(30, 900), height=st.integers(30, 900), long_side=st.sampled_from([20, 40, 64, 160]))
def test_what_can_be_reduced_is_what_the_decoder_reduces(width: int, height: int, long_side: int) -> None:
    stored = io.BytesIO()
    Image.new("L", (width, height)).save(stored, "JPEG", quality=10)
    enough = 2 * long_side / max(width, height)
    with Image.open(stored) as image:
        image.draft("RGB", (math.ceil(enough * width), math.ceil(enough * height)))
        assert reducible((width, height), enough) == (image.size != (width, height))
