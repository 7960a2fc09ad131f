"""main.py GATEWAY FOLDER NODE_FOLDER JAVA_FOLDER SEED [TEXT]: runs every check.

With TEXT only those of the Python part with it in their name, and the shutdown, which ends every run.
FOLDER is for what this run writes, NODE_FOLDER has the node part, JAVA_FOLDER the compiled Java part. Whatever is left
to chance comes from SEED.

The last line is "N passed, N failed, N skipped"; exit status 0 only if nothing failed.
"""

import asyncio
import itertools
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import check_abrupt
import check_backend_tls
import check_chains
import check_clients
import check_connect
import check_files
import check_front
import check_grafana
import check_handoff
import check_haproxy
import check_http
import check_killed
import check_lighttpd
import check_postgres
import check_prometheus
import check_protocol
import check_proxied
import check_redis
import check_relay
import check_shutdown
import check_systemd
import check_tcp
import check_tls
import check_websocket
import check_websockify
import programs
import stage as stages
from report import Tally


async def main(binary: Path, folder: Path, node_folder: Path, java_folder: Path, seed: str, only: str) -> int:
    tally = Tally()
    async with AsyncExitStack() as stack:
        stage = await stages.set_up(stack, binary, folder, node_folder, seed)
        suites = (
            check_relay,
            check_tcp,
            check_websocket,
            check_clients,
            check_connect,
            check_tls,
            check_backend_tls,
            check_front,
            check_proxied,
            check_haproxy,
            check_http,
            check_files,
            check_handoff,
            check_redis,
            check_postgres,
            check_websockify,
            check_lighttpd,
            check_chains,
            check_systemd,
            check_prometheus,
            check_grafana,
            check_killed,
            check_abrupt,
            check_protocol,
        )
        checks = itertools.chain.from_iterable(suite.checks(stage) for suite in suites)
        await tally.run(check for check in checks if only in check.name)
        if not only:
            await programs.run("node client", programs.node(stage, node_folder), tally)
            await programs.run("java client", programs.java(stage, java_folder), tally)
        if tally.failed:
            # Before the end of all connections, which would fill the log's last lines.
            print("\n".join(f"    gateway: {line}" for line in stage.gateway.log_tail().splitlines()))
        await tally.run(check_shutdown.checks(stage))
    print(f"{tally.passed} passed, {tally.failed} failed, 0 skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (6, 7):
        sys.exit(__doc__)
    only = sys.argv[6] if len(sys.argv) == 7 else ""
    sys.exit(asyncio.run(main(*map(Path, sys.argv[1:5]), sys.argv[5], only)))
