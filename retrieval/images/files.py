"""The bytes of photo files, and the sentences for files that give none."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from index.errors import InputError, PhotoUnreadable
from index.naming import checked_path


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


def file_sha256(path: Path) -> str:
    """Hex digest of a file's bytes, as `load_photo` gives it. Raises PhotoUnreadable."""
    return hashlib.sha256(read_bytes(path)).hexdigest()
