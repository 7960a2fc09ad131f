"""The configurations of a page of docs/, taken from the page itself: what a reader copies is what the checks run."""

import re
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```(?P<name>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Document:
    def __init__(self, name: str) -> None:
        self.name = name
        self.blocks = {match["name"]: match["text"] for match in FENCE.finditer((DOCS / name).read_text(encoding="utf-8"))}
        self.unused = set(self.blocks)

    def block(self, name: str) -> str:
        """The fenced block with this behind its fence."""
        if name not in self.blocks:
            raise LookupError(f"{self.name} has no block ```{name}")
        self.unused.discard(name)
        return self.blocks[name]


def replaced(text: str, what: str, changes: Mapping[str, object]) -> str:
    """With each of these texts, which must be there, replaced by another."""
    for old, new in changes.items():
        if old not in text:
            raise LookupError(f"{what} has no {old!r} any more")
        text = text.replace(old, str(new))
    return text
