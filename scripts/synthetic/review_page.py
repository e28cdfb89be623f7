"""`python -m synthetic.review_page FOLDER`: the review page as README.md shows it, made anew, and on other screens.

Draws a season into FOLDER, which is new, serves its page and takes pictures of it: wide, dark, on a tablet, on a phone.
The wide one goes into the repository. Needs the browser that the tests of the page need.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from synthetic.samples import Sample, write_samples

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "scripts" / "review.png"
TURTLES, STRANGERS, PHOTOS = 22, 5, 5
COLOURS = 160
"""Of the picture, so that it is small."""
PATIENCE = 120_000
"""Milliseconds until the page has compared everything."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A browser's window."""

    name: str
    width: int
    height: int
    dark: bool = False


SCREENS = (
    Screen("wide", 1440, 900),
    Screen("dark", 1440, 900, dark=True),
    Screen("tablet", 820, 1180),
    Screen("phone", 400, 800),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m synthetic.review_page", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    catalog = prepared(folder)
    with served(catalog) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for screen in SCREENS:
            take(browser, address, screen, folder)
        browser.close()
    Image.open(folder / "wide-pair.png").convert("RGB").quantize(COLOURS).save(PICTURE, optimize=True)
    print(f"{PICTURE}, {PICTURE.stat().st_size / 1000:.0f} KB; the others are in {folder}")


def prepared(folder: Path) -> Path:
    """A catalogue of drawn turtles seen twice, fitted, and a season that nobody has identified."""
    drawn = write_samples(folder / "drawn", TURTLES, PHOTOS, STRANGERS, size=(960, 768))
    gallery = folder / "gallery"
    for one in drawn.with_role("gallery"):
        copied(drawn.folder, one, gallery / one.turtle)
    for one in (*drawn.with_role("known"), *drawn.with_role("new")[::PHOTOS]):
        copied(drawn.folder, one, folder / "season" / f"dive-{one.taken_on}")
    catalog = folder / "turtles.catalog"
    run(catalog, "enroll", str(gallery), "--side", "left", "--no-fit")
    run(catalog, "fit", "--matcher", "nearest")
    run(catalog, "enroll", str(folder / "season"), "--not-by-folder", "--side", "left", "--site", "Bay", "--no-fit")
    return catalog


def copied(source: Path, one: Sample, target: Path) -> None:
    """A photo under the name that a camera would give it."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / one.photo, target / f"IMG_{one.turtle[1:]}{one.photo[-5:-4]}.jpg")


def run(catalog: Path, *words: str) -> None:
    """One command of turtleidx."""
    subprocess.run([sys.executable, "-m", "retrieval", "--catalog", str(catalog), *words], check=True)


@contextmanager
def served(catalog: Path) -> Iterator[str]:
    """The page's address while it is served."""
    command = [sys.executable, "-m", "retrieval", "--catalog", str(catalog), "--who", "Ana"]
    command += ["review", "--no-browser", "--matcher", "nearest"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            found = re.search(r"http://\S+", running.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            running.terminate()


def take(browser: Browser, address: str, screen: Screen, folder: Path) -> None:
    """Pictures of the first page, the queue, the pair and the known ones on one screen."""
    size = {"width": screen.width, "height": screen.height}
    context = browser.new_context(viewport=size, color_scheme="dark" if screen.dark else "light")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    base = address.partition("/?")[0]
    until = time.monotonic() + PATIENCE / 1000
    while not page.request.get(f"{base}/state").json()["complete"] and time.monotonic() < until:
        page.wait_for_timeout(500)
    for name, path in (("home", "/"), ("queue", "/queue"), ("known", "/known")):
        page.goto(f"{base}{path}")
        shot(page, folder / f"{screen.name}-{name}.png")
    rows = page.request.get(f"{base}/known").text()
    known = re.findall(r'href="(/compare/[^"]+)"', rows)
    if not known:
        raise SystemExit("The drawn season has no KNOWN group to show.")
    page.goto(f"{base}{known[0]}")
    page.wait_for_selector("body[data-compared]")
    shot(page, folder / f"{screen.name}-pair.png")
    context.close()


def shot(page: Page, target: Path) -> None:
    """The window as it is once everything has come."""
    page.wait_for_selector("html[data-ready]")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=target)


if __name__ == "__main__":
    main()
