"""Sides of the head as people write them, in several languages."""

from __future__ import annotations

from index.types import Side

_LANGUAGES = {
    Side.LEFT: frozenset({"left", "l", "links", "gauche", "izquierda", "izquierdo", "sinistra", "esquerda"}),
    Side.RIGHT: frozenset({"right", "r", "rechts", "droite", "derecha", "derecho", "destra", "direita"}),
    Side.TOP: frozenset({"top", "t", "above", "dorsal"}),
    Side.FRONT: frozenset({"front", "f", "frontal"}),
}


def parse_side(text: str) -> Side:
    """A side by name or first letter; ValueError lists them."""
    for side, words in _LANGUAGES.items():
        if text.strip().lower() in words:
            return side
    raise ValueError(f"the side {text!r} is none of {', '.join(Side)}")
