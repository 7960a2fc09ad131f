"""The clients that are programs of their own: they print the same lines as the checks here."""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from pathlib import Path

import stage as stages
from report import Tally

SECONDS_MAX = 300.0

Command = Sequence[str | Path]


def node(stage: stages.Stage, folder: Path) -> Command:
    urls = {scheme: stage.url(scheme, "") for scheme in stages.SCHEMES}
    return ["node", folder / "client.mjs", json.dumps({"authority": str(stage.authority), "urls": urls})]


def java(stage: stages.Stage, folder: Path) -> Command:
    # What it prints is UTF-8 whatever the locale; Java 18 and later ask for another property than 17.
    encoding = ("-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8")
    urls = (stage.url(scheme, "") for scheme in stages.SCHEMES)
    return ["java", *encoding, "-cp", folder, "Client", stage.authority, *urls]


async def run(name: str, command: Command, tally: Tally) -> None:
    """That it checks anything, and that it ends by itself, is part of what it has to pass."""
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE)
    passed, failed = tally.passed, tally.failed
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while line := (await process.stdout.readline()).decode().rstrip():
                relay_line(line, tally)
            if await process.wait() != 0 and tally.failed == failed:
                tally.not_ok(name, f"ended with status {process.returncode}")
    except TimeoutError:
        process.kill()
        await process.wait()
        tally.not_ok(name, f"not done after {SECONDS_MAX:.0f} s")
    if tally.passed == passed:
        tally.not_ok(name, "passed no check at all")


def relay_line(line: str, tally: Tally) -> None:
    if line.startswith("ok "):
        tally.ok(line.removeprefix("ok "))
    elif line.startswith("not ok "):
        name, _, reason = line.removeprefix("not ok ").partition(" — ")
        tally.not_ok(name, reason)
    else:
        print(f"    {line}", flush=True)
