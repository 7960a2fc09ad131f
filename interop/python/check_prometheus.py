"""What Prometheus itself says of the metrics, the rules and the dashboard: it scrapes the admin listener, and is asked."""

import asyncio
import json
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from websockets.asyncio.client import connect

import gateway
from report import Check, Failed, equal
from stage import Stage

DASHBOARD = Path(__file__).parents[2] / "packaging" / "grafana" / "tidegate.json"
RULES = Path(__file__).parents[2] / "packaging" / "prometheus" / "tidegate.rules.yml"
# Where interop/run unpacks it, if it is not installed.
UNPACKED = Path(__file__).parents[2] / ".test" / "interop" / "prometheus" / "usr" / "bin"
SCRAPED_SECONDS_MAX = 60.0


def program(name: str) -> str:
    return shutil.which(name) or str(UNPACKED / name)


def checks(stage: Stage) -> Iterator[Check]:
    yield Check("promtool: nothing to complain about in the rules", rules)
    name = "prometheus: scrapes the admin listener, evaluates the rules, and understands the dashboard"
    yield Check(name, partial(scraped, stage))


async def rules() -> None:
    command = [program("promtool"), "check", "rules", RULES]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise Failed(said.decode())


async def scraped(stage: Stage) -> None:
    port, admin, web = (gateway.free_port() for _ in range(3))
    folder = stage.folder / "prometheus"
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier run has scraped is no proof
    folder.mkdir()
    config = folder / "tidegate.toml"
    config.write_text(f'admin = "127.0.0.1:{admin}"\n[[listener]]\naddress = "127.0.0.1:{port}"\n'
                      '[[route]]\npath = "/echo"\nbackend = "echo:"\n')
    scrape = {"job_name": "tidegate", "static_configs": [{"targets": [f"127.0.0.1:{admin}"]}]}
    # What JSON writes is YAML as well.
    (folder / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)], "scrape_configs": [scrape],
    }))
    async with AsyncExitStack() as stack:
        running = await gateway.start(stage.binary, config, {"ws": port, "admin": admin})
        stack.push_async_callback(running.kill)
        async with connect(f"ws://127.0.0.1:{port}/echo", proxy=None, compression=None) as client:
            await client.send("ahoy")
            equal("echo", await client.recv(), "ahoy")
        log = stack.enter_context((folder / "prometheus.log").open("wb"))
        prometheus = await asyncio.create_subprocess_exec(
            program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{web}", stdin=DEVNULL, stdout=log, stderr=log,
        )
        stack.push_async_callback(gateway.Gateway(prometheus, folder / "prometheus.log", {}).kill)
        async with asyncio.timeout(SCRAPED_SECONDS_MAX):
            while not (messages := await asked(web, "query?query=tidegate_messages_total")):
                await asyncio.sleep(0.2)
            while not all(rule["lastEvaluation"] > "1970" for rule in await evaluated(web)):
                await asyncio.sleep(0.2)
        equal("messages", max(int(sample["value"][1]) for sample in messages["result"]), 1)
        equal("rules that fail", [rule["name"] for rule in await evaluated(web) if rule["health"] != "ok"], [])
        targets = (await asked(web, "targets"))["activeTargets"]
        equal("targets", [(target["health"], target["lastError"]) for target in targets], [("up", "")])
        for question in questions():
            await asyncio.to_thread(understood, web, question)
        equal("exit status", await running.drain(), 0)


def questions() -> list[str]:
    """What the panels of the dashboard ask Prometheus, with every choice open, as Grafana fills it in."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked_for = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    if not asked_for:
        raise Failed(f"{DASHBOARD} asks nothing")
    return [re.sub(r"\$(instance|route)", ".*", question).replace("$__rate_interval", "10s") for question in asked_for]


def understood(web: int, question: str) -> None:
    try:
        urlopen(f"http://127.0.0.1:{web}/api/v1/query?query={quote(question)}", timeout=5).close()
    except HTTPError as error:
        raise Failed(f"{question}: {error.read().decode()}") from None


async def evaluated(web: int) -> list[dict[str, Any]]:
    groups = (await asked(web, "rules")).get("groups", [])
    return [rule for group in groups for rule in group["rules"]] or [{"lastEvaluation": ""}]


async def asked(web: int, what: str) -> dict[str, Any]:
    """What the API answers; nothing while there is none, or no result."""
    def ask() -> dict[str, Any]:
        try:
            with urlopen(f"http://127.0.0.1:{web}/api/v1/{what}", timeout=5) as answer:
                data: dict[str, Any] = json.load(answer)["data"]
        except OSError:
            return {}
        return {} if data.get("result") == [] else data

    return await asyncio.to_thread(ask)
