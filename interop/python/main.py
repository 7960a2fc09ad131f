"""main.py GATEWAY FOLDER NODE_FOLDER [TEXT]: runs every check.

With TEXT only those of the Python client with it in their name, and the shutdown, which ends every run.
FOLDER is for what this run writes, NODE_FOLDER has the node part.

The last line is "N passed, N failed, N skipped"; exit status 0 only if nothing failed.
"""

import asyncio
import itertools
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import check_backend_tls
import check_clients
import check_files
import check_front
import check_http
import check_postgres
import check_proxied
import check_redis
import check_relay
import check_shutdown
import check_tcp
import check_tls
import check_websocket
import stage as stages
from report import Tally

NODE_SECONDS_MAX = 300.0


async def run_node(stage: stages.Stage, node_folder: Path, tally: Tally) -> None:
    """The checks of the node client, which prints the same lines as those here."""
    arguments = {
        "authority": str(stage.authority),
        "urls": {scheme: stage.url(scheme, "") for scheme in stages.SCHEMES},
    }
    process = await asyncio.create_subprocess_exec(
        "node",
        node_folder / "client.mjs",
        json.dumps(arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    passed, failed = tally.passed, tally.failed
    try:
        async with asyncio.timeout(NODE_SECONDS_MAX):
            while line := (await process.stdout.readline()).decode().rstrip():
                relay_line(line, tally)
            if await process.wait() != 0 and tally.failed == failed:
                tally.not_ok("node client", f"ended with status {process.returncode}")
    except TimeoutError:
        process.kill()
        await process.wait()
        tally.not_ok("node client", f"not done after {NODE_SECONDS_MAX:.0f} s")
    if tally.passed == passed:
        tally.not_ok("node client", "passed no check at all")


def relay_line(line: str, tally: Tally) -> None:
    if line.startswith("ok "):
        tally.ok(line.removeprefix("ok "))
    elif line.startswith("not ok "):
        tally.not_ok(*line.removeprefix("not ok ").split(" — ", 1))
    else:
        print(f"    {line}", flush=True)


async def main(binary: Path, folder: Path, node_folder: Path, only: str) -> int:
    tally = Tally()
    async with AsyncExitStack() as stack:
        stage = await stages.set_up(stack, binary, folder, node_folder)
        suites = (
            check_relay,
            check_tcp,
            check_websocket,
            check_clients,
            check_tls,
            check_backend_tls,
            check_front,
            check_proxied,
            check_http,
            check_files,
            check_redis,
            check_postgres,
        )
        checks = itertools.chain.from_iterable(suite.checks(stage) for suite in suites)
        await tally.run(check for check in checks if only in check.name)
        if not only:
            await run_node(stage, node_folder, tally)
        if tally.failed:
            # Before the end of all connections, which would fill the log's last lines.
            print("\n".join(f"    gateway: {line}" for line in stage.gateway.log_tail().splitlines()))
        await tally.run(check_shutdown.checks(stage))
    print(f"{tally.passed} passed, {tally.failed} failed, 0 skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    only = sys.argv[4] if len(sys.argv) == 5 else ""
    sys.exit(asyncio.run(main(*map(Path, sys.argv[1:4]), only)))
