"""The page has words for whatever may have happened."""

from __future__ import annotations

import re
from pathlib import Path

import index
from retrieval.web.words import words


def test_every_action_has_words() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(str(index.__file__)).parent.rglob("*.py")]
    action = re.compile(r'(?:_do|transaction)\(\s*"([a-z ]+)"')
    written = {name for source in sources for name in action.findall(source)}
    assert len(written) > 20
    assert sorted(written - words()["history"]["did"].keys()) == []
