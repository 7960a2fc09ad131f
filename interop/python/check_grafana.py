"""What Grafana's own libraries say of the dashboard: its types fit it, and its models load it without losing a key."""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from report import Check, Failed
from stage import Stage

DASHBOARD = Path(__file__).parents[2] / "packaging" / "grafana" / "tidegate.json"


def checks(stage: Stage) -> Iterator[Check]:
    yield Check("grafana: the dashboard is what its own types say that one is", partial(of_its_types, stage))
    yield Check("grafana: the dashboard loads into its own models, and nothing of it is lost", loaded)


async def of_its_types(stage: Stage) -> None:
    command = ["node", stage.node_folder / "dashboard.mjs", DASHBOARD, stage.folder]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise Failed(said.decode())


async def loaded() -> None:
    plugins.register_default_plugins()  # so that panels and queries are read as what their kind says, not as any object
    written = json.loads(DASHBOARD.read_text())
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(written)))
    lost = list(missing(written, read, "dashboard"))
    if lost:
        raise Failed("\n".join(lost))


def missing(written: Any, read: Any, where: str) -> Iterator[str]:
    """What stands in the file and is not, or not the same, in what was read. What is added are defaults."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            if key in read:
                yield from missing(value, read[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is nothing that Grafana knows"
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, (one, other) in enumerate(zip(written, read)):
            yield from missing(one, other, f"{where}[{index}]")
    elif written != read:
        yield f"{where}: {written!r} is read as {read!r}"
