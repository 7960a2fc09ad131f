#!/usr/bin/env python3
"""compare.py EXPECTED REPORT: does the Autobahn report say exactly what the committed expectation says?

Prints one line for each group of cases and, last, "N passed, N failed, N skipped".
Exit status: 0 every case as expected, 1 any difference or missing case, 2 the expectation itself is not acceptable.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

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
}

Verdicts = dict[str, tuple[str, str]]


class Unacceptable(Exception):
    """The file of expected results cannot be a standard to hold anything against."""


def read_expected(path: Path) -> Verdicts:
    verdicts = {case: (row["behavior"], row["behaviorClose"]) for case, row in json.loads(path.read_text()).items()}
    if not verdicts:
        raise Unacceptable(f"{path}: expects no case at all")
    for case, verdict in verdicts.items():
        for word in set(verdict) - ACCEPTABLE:
            raise Unacceptable(f"{path}: case {case} expects {word}; only {', '.join(sorted(ACCEPTABLE))} may stand there")
    return verdicts


def read_report(path: Path) -> Verdicts:
    """The suite files results by the Server header it saw; all of them are the gateway's. No report: no results."""
    if not path.exists():
        return {}
    verdicts: Verdicts = {}
    for cases in json.loads(path.read_text()).values():
        for case, row in cases.items():
            verdicts.setdefault(case, (row["behavior"], row["behaviorClose"]))
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


def natural(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def print_groups(cases: set[str], wrong: dict[str, str]) -> None:
    groups = defaultdict(list)
    for case in sorted(cases, key=natural):
        groups[case.split(".")[0]].append(case)
    for group, members in groups.items():
        name = f"group {group} {GROUPS.get(group, '')}".strip()
        bad = [case for case in members if case in wrong]
        print(f"not ok {name}: {len(bad)} of {len(members)} cases" if bad else f"ok {name}: {len(members)} cases")
        for case in bad[:LISTED_MAX]:
            print(f"    {case}: {wrong[case]}")
        if len(bad) > LISTED_MAX:
            print(f"    … and {len(bad) - LISTED_MAX} more")


def main(expected_path: str, report_path: str) -> int:
    try:
        expected = read_expected(Path(expected_path))
    except Unacceptable as refusal:
        print(f"not ok expected results — {refusal}")
        print("0 passed, 1 failed, 0 skipped")
        return 2
    found = read_report(Path(report_path))
    wrong = differences(expected, found)
    cases = expected.keys() | found.keys()
    print_groups(set(cases), wrong)
    print(f"{len(cases) - len(wrong)} passed, {len(wrong)} failed, 0 skipped")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
