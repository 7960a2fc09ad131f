"""The fenced blocks of a recipe, and what they ask to have installed.

page.py apt|pip PAGE…: prints the packages that the pages install, one a line.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(?P<info>[^\n`]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"(?:#|<!--) (?P<name>[\w.-]+(?:/[\w.-]+)?)(?: -->)?\n")
ADDRESSES = re.compile(
    r"(?:127\.0\.0\.1:|localhost:|-rfbport |^listener |listen 127\.0\.0\.1:|\"127\.0\.0\.1\", )(\d{3,5})\b", re.MULTILINE
)
DISPLAY = re.compile(r"\bXvnc :(\d+)\b")
HEADINGS = ["What you get", "The files", "Does it work?", "What goes wrong"]


@dataclass(frozen=True)
class Block:
    """One fenced block: the words after the fence, its text, the line it starts at, and whether it directly follows
    the block before, which for a `text` block means that it shows what that one prints."""

    words: tuple[str, ...]
    text: str
    line: int
    file_name: str | None

    @property
    def language(self) -> str:
        return self.words[0]

    @property
    def order(self) -> str:
        """What is to be done with it, other than the usual."""
        return self.words[1] if len(self.words) > 1 else ""


def blocks(markdown: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(markdown):
        name = FILE_NAME.match(match["text"])
        line = markdown.count("\n", 0, match.start()) + 1
        found.append(Block(tuple(match["info"].split()), match["text"], line, name and name["name"]))
    return found


def missing_headings(markdown: str) -> list[str]:
    return [heading for heading in HEADINGS if f"\n## {heading}\n" not in markdown]


def ports(markdown: str) -> list[str]:
    """Every port that the blocks of a page use."""
    found = {port for block in blocks(markdown) for port in ADDRESSES.findall(block.text)}
    return sorted(found)


def displays(markdown: str) -> list[str]:
    return sorted({display for block in blocks(markdown) for display in DISPLAY.findall(block.text)})


def packages(kind: str, markdown: str) -> set[str]:
    installer = {"apt": "apt-get install", "pip": "pip install"}[kind]
    found: set[str] = set()
    for block in blocks(markdown):
        if block.words != ("sh", "install"):
            continue
        for command in re.split(r"&&|\n", block.text):
            _, installs, rest = command.partition(installer)
            if installs:
                found.update(word for word in rest.partition("#")[0].split() if not word.startswith("-"))
    return found


def main() -> None:
    kind, *pages = sys.argv[1:]
    found = {name for page in pages for name in packages(kind, Path(page).read_text(encoding="utf-8"))}
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
