"""`python -m synthetic.front_page FOLDER`: what README.md shows, made anew: its commands' output and its picture.

Draws the turtles that the page speaks of into FOLDER, which is new and named as on the page, runs the page's commands
there in their order, and puts what they print, and the first two rows of the match picture, into the repository.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from synthetic.samples import write_samples

ROOT = Path(__file__).parents[2]
PAGE, PICTURE = ROOT / "README.md", ROOT / "scripts" / "match.png"
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```)", re.MULTILINE | re.DOTALL)
TURTLES, ENROLLED = 30, ("left-1.jpg", "left-2.jpg", "left-3.jpg", "left-4.jpg")
ASKED = {"new/a.jpg": "T004/left-5.jpg", "new/b.jpg": f"T{TURTLES + 1:03d}/left-1.jpg"}
WIDTH, COLOURS, SHOWN = 1000, 128, 0.68
"""Of the picture, so that it is small: its heading and the first two of its three rows."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m synthetic.front_page", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    draw_season(folder)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda block: shown(block[0], folder), page), encoding="utf-8")
    picture = Image.open(folder / "match.png").convert("RGB")
    picture = picture.crop((0, 0, picture.width, round(picture.height * SHOWN)))
    picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"{PAGE} and {PICTURE}, {PICTURE.stat().st_size / 1000:.0f} KB")


def draw_season(folder: Path) -> None:
    """The page's folder: `gallery` with a sub-folder for each turtle, and `new` with a known one and a stranger."""
    with tempfile.TemporaryDirectory() as drawn:
        write_samples(Path(drawn), TURTLES, photos_per_turtle=6, new_turtles=1)
        copies = {
            f"gallery/T{turtle:03d}/{name}": f"T{turtle:03d}/{name}"
            for turtle in range(1, TURTLES + 1)
            for name in ENROLLED
        }
        for target, source in (copies | ASKED).items():
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(drawn) / source, folder / target)


def shown(block: str, folder: Path) -> str:
    """The block with what its commands print now."""
    parts = []
    for line in re.findall(r"^\$ (.+)$", block, re.MULTILINE):
        words = [sys.executable, "-m", "retrieval", *shlex.split(line)[1:]]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "LOGNAME": "Ana", "PYTHONUNBUFFERED": "1"}
        done = subprocess.run(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
        )
        printed = [one.rstrip() for one in done.stdout.splitlines() if one.strip()]
        parts.append("\n".join([f"$ {line}", *printed, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    main()
