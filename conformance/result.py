"""What came out, as a page to be committed."""

import datetime
import subprocess
from pathlib import Path

import compare

HERE = Path(__file__).resolve().parent


def page(gateway: Path, compared: dict[str, compare.Comparison]) -> str:
    numbers = list(dict.fromkeys(number for comparison in compared.values() for number in comparison.groups))
    lines = [
        f"# Autobahn, {datetime.date.today().isoformat()}",
        "",
        f"- {said(gateway, '--version')}, commit {said('git', 'rev-parse', '--short', 'HEAD')}",
        f"- {suite()}",
        "",
        "Cases with exactly the verdicts of `expected/`, of all that were run. Nothing but `OK` and, in three cases that",
        "can say nothing else, `INFORMATIONAL` stands there.",
        "",
        "| target | " + " | ".join(f"{number} {compare.GROUPS.get(number, '')}".strip() for number in numbers) + " | all |",
        "| --- |" + " ---: |" * (len(numbers) + 1),
    ]
    for name, comparison in compared.items():
        cells = [f"{good} of {cases}" for good, cases in (comparison.groups.get(number, (0, 0)) for number in numbers)]
        total = comparison.passed + comparison.failed
        cells = ["–" if cell == "0 of 0" else cell for cell in cells]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | **{comparison.passed} of {total}** |")
    return "\n".join(lines) + "\n"


def said(*command: str | Path) -> str:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=HERE).stdout.strip()


def suite() -> str:
    required = (HERE / "requirements.txt").read_text().split()
    return next(package.replace("==", " ") for package in required if package.startswith("autobahntestsuite=="))
