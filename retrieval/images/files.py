"""The bytes of photo files, and the sentences for files that give none."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from index.errors import InputError, PhotoUnreadable
from index.naming import checked_path
from retrieval.images.formats import exif_block, read_exif, without_metadata


def read_bytes(path: Path) -> bytes:
    """The file's bytes; PhotoUnreadable says what is wrong with a file that has none, or whose name is no text."""
    try:
        checked_path(path)
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):  # reading these may never end
            raise PhotoUnreadable(f"{path} is a pipe or a device: save the photo as a file first.")
        data = path.read_bytes()
    except InputError as error:
        raise PhotoUnreadable(str(error)) from error
    except FileNotFoundError as error:
        raise PhotoUnreadable(f"{path} does not exist.") from error
    except IsADirectoryError as error:
        raise PhotoUnreadable(f"{path} is a folder, not a photo.") from error
    except OSError as error:
        raise PhotoUnreadable(f"{path} cannot be read ({error.strerror}).") from error
    if not data:
        raise PhotoUnreadable(f"{path} is empty.")
    return data


@dataclass(frozen=True, slots=True)
class FileDigests:
    """What a file is known by: all of its bytes, and those that are not metadata (None where that is not known)."""

    sha256: str
    content: str | None


def file_digests(path: Path) -> FileDigests:
    """Both digests of a file. Raises PhotoUnreadable."""
    data = read_bytes(path)
    return FileDigests(hashlib.sha256(data).hexdigest(), content_digest(data))


def content_digest(data: bytes) -> str | None:
    """Digest of a picture and of how it is turned, without what else was written beside it; None for other formats.

    It stays the same when a program writes ratings, captions or places into a JPEG, PNG or WebP file.
    """
    bare = without_metadata(data)
    if bare is data:
        return None
    orientation = read_exif(exif_block(data)).orientation or 1
    return hashlib.sha256(b"%d " % orientation + bare).hexdigest()


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, as `load_photo` gives it. Raises PhotoUnreadable."""
    return hashlib.sha256(read_bytes(path)).hexdigest()
