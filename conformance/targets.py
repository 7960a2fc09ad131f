"""What the suite is run against, and which of its cases.

A new target is a route of the same name in tidegate.toml, a line in TARGETS and a file of expected verdicts; only
`client` and `connect` are no routes, but programs that call the suite.
"""

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Target:
    """A route of tidegate.toml, whose path is its name, or a client."""

    name: str
    is_client: bool = False
    """Whether it is no route, but calls the suite."""

    echoes: bool = True
    """Whether it answers each message with itself; what does not can be put to a part of the cases only."""

    @property
    def expected(self) -> Path:
        return HERE / "expected" / f"{self.name}.json"


TARGETS = (
    Target("echo"),
    Target("websocket"),
    Target("client", is_client=True),
    Target("connect", is_client=True, echoes=False),
)

# The groups about compression: 216 cases of a thousand messages each, some of them half a minute long.
COMPRESSION = ("12", "13")

# Of these groups, what a run without --all takes.
SAMPLE = frozenset(json.loads((HERE / "sample.json").read_text()))


def group(case: str) -> str:
    return case.split(".")[0]


def natural(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def cases(known: set[str], everything: bool) -> list[str]:
    """Of the cases that a target has verdicts for, those of this run."""
    chosen = (case for case in known if everything or group(case) not in COMPRESSION or case in SAMPLE)
    return sorted(chosen, key=natural)


def parts(chosen: list[str]) -> dict[str, list[str]]:
    """Name of a part → its cases. One suite keeps one core busy at most, so a target is tested by several at once."""
    divided: dict[str, list[str]] = {}
    for case in chosen:
        divided.setdefault(group(case) if group(case) in COMPRESSION else "base", []).append(case)
    return divided
