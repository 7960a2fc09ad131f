"""Does the suite's report say exactly what the committed expectation says?"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from targets import Target, group, natural

# The suite's other verdicts (FAILED, UNCLEAN, WRONG CODE, NON-STRICT, UNIMPLEMENTED, …) are faults of a gateway;
# writing one of them down as expected would not make it less of a fault.
ACCEPTABLE = {"OK", "INFORMATIONAL"}

# Of a group that fails as a whole, as when the gateway died, more lines would tell nothing more.
LISTED_MAX = 12

GROUPS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "limits and large messages",
    "10": "many fragments",
    "12": "compression, by kind of data",
    "13": "compression, by parameters",
}

# Case → what was said about the messages, and about the way the connection ended.
Verdicts = dict[str, tuple[str, str]]


class Unacceptable(Exception):
    """The file of expected results cannot be a standard to hold anything against."""


@dataclass
class Comparison:
    lines: list[str]
    """One for each group, and more for a group in which something differs."""
    passed: int
    failed: int
    groups: dict[str, tuple[int, int]]
    """Of each group, cases that came out as expected, and cases."""


def verdicts_of(rows: dict[str, dict[str, str]]) -> Verdicts:
    return {case: (row["behavior"], row["behaviorClose"]) for case, row in rows.items()}


def read_expected(target: Target) -> Verdicts:
    path = target.expected
    verdicts = verdicts_of(json.loads(path.read_text()))
    if not verdicts:
        raise Unacceptable(f"{path.name}: expects no case at all")
    for case, (behavior, close) in verdicts.items():
        for word in (behavior, close):
            if word not in ACCEPTABLE:
                words = ", ".join(sorted(ACCEPTABLE))
                raise Unacceptable(f"{path.name}: case {case} expects {word!r}; allowed there: {words}")
    return verdicts


def read_reports(paths: Iterable[Path]) -> Verdicts:
    """The suite files results by the Server header it saw; all of them are the target's. No report: no results."""
    verdicts: Verdicts = {}
    for path in paths:
        if path.exists():
            for rows in json.loads(path.read_text()).values():
                verdicts |= verdicts_of(rows)
    return verdicts


def differences(expected: Verdicts, found: Verdicts) -> dict[str, str]:
    """Case → what is wrong with it, in plain words."""
    wrong = {}
    for case in expected.keys() | found.keys():
        if case not in found:
            wrong[case] = "no result"
        elif case not in expected:
            wrong[case] = f"not in the expected file, got {' / '.join(found[case])}"
        elif expected[case] != found[case]:
            wrong[case] = f"expected {' / '.join(expected[case])}, got {' / '.join(found[case])}"
    return wrong


def compare(name: str, expected: Verdicts, found: Verdicts) -> Comparison:
    wrong = differences(expected, found)
    groups = defaultdict(list)
    for case in sorted(expected.keys() | found.keys(), key=natural):
        groups[group(case)].append(case)
    lines, counts = [], {}
    for number, members in groups.items():
        title = f"{name} group {number} {GROUPS.get(number, '')}".strip()
        bad = [case for case in members if case in wrong]
        counts[number] = (len(members) - len(bad), len(members))
        outcome = f"not ok {title}: {len(bad)} of" if bad else f"ok {title}:"
        lines.append(f"{outcome} {len(members)} cases")
        lines += [f"    {case}: {wrong[case]}" for case in bad[:LISTED_MAX]]
        if len(bad) > LISTED_MAX:
            lines.append(f"    … and {len(bad) - LISTED_MAX} more")
    return Comparison(lines, len(expected.keys() | found.keys()) - len(wrong), len(wrong), counts)
