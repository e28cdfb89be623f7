"""Names for people: what long ids of matchers, encoders and models mean; --json keeps the ids themselves."""

from __future__ import annotations

import re

_MATCHERS = (
    (r"lightglue-turtle-sift\b.*\+nearest", "turtle-sift, beside nearest neighbours"),
    (r"lightglue-turtle-sift\b", "turtle-sift alone"),
    (r"lightglue-([a-z]+).*\+nearest", r"LightGlue for \1, beside nearest neighbours"),
    (r"lightglue-([a-z]+)", r"LightGlue for \1"),
    (r"nearest.*\+views", "nearest neighbours in several views"),
    (r"nearest", "nearest neighbours"),
)

_ENCODERS = (("words", "visual words"), ("vlad", "VLAD vectors"), ("timm:", "a network from timm"))


def matcher_name(long_id: str) -> str:
    """What matched, in a few words; also out of a model's recipe, which holds the matcher's id."""
    for pattern, name in _MATCHERS:
        found = re.search(pattern, long_id)
        if found:
            return found.expand(name)
    return long_id.partition("-")[0]


def extractor_name(long_id: str) -> str:
    """What found the keypoints: its kind and its two numbers."""
    found = re.match(r"([a-z]+)\w*(?:#\w+)?-(\d+)-(\d+)", long_id)
    return f"{found[2]} {found[1].upper()} keypoints a photo, {found[3]} pixels long" if found else long_id


def encoder_name(long_id: str) -> str:
    """What finds similar photos."""
    return next((name for begin, name in _ENCODERS if long_id.startswith(begin)), long_id)
