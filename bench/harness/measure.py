"""One cell: one peer under one workload, once."""

import json
import subprocess
import time

from . import peers

LOAD_CORE = "1"


class Failed(Exception):
    """The load says what the peer did."""


def serves(peer, workload):
    return workload.kind in (peer.tls if workload.tls else peer.kinds) and not (
        # What knows no frames has nothing to keep: its memory and the way it opens are no mark.
        peer.name in peers.LIMITS and workload.unit in ("bytes/connection", "cpu/connection")
    )


def run(peer, workload, seconds):
    kind = "ws" if peer.name in peers.LIMITS else workload.kind
    # Behind a client there is a WebSocket server.
    speaks = "tcp" if kind == "tcp" else "ws"
    backend = peers.WS_BACKEND if speaks == "ws" else peers.TCP_BACKEND
    to = backend if peer.name == "direct" else peer.address(kind, workload.tls)
    command = ["taskset", "-c", LOAD_CORE, peers.LOAD, "load", "--to", to, "--backend", backend, "--protocol", speaks,
               "--path", peer.paths.get(kind, "/"), "--seconds", seconds, *workload.arguments]
    if kind == "local":
        command += ["--local"]
    if workload.unit == "bytes/connection":
        command += ["--connections", peer.idle_connections]
    if workload.tls:
        command += ["--tls", peers.certificate(peer.folder.parent)[0]]
    if peer.process:
        command += ["--pid", peer.process.pid]
    if workload.unit == "bytes/connection":
        # What earlier workloads have left would be taken again, and not be seen.
        peer.stop()
        peer.start()
        command[-1] = peer.process.pid
    try:
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds + 60)
    except subprocess.TimeoutExpired:
        raise Failed("no end after a minute") from None
    if result.returncode:
        # A peer that takes its backend for dead would not try it again for a while.
        peer.stop()
        peer.start()
        raise Failed(result.stderr.strip().splitlines()[0][:200] if result.stderr.strip() else "no word")
    time.sleep(0.1)
    report = json.loads(result.stdout)
    if not any(report[key] for key in ("messages", "bytes", "connections")):
        raise Failed("nothing arrived in the window")
    return report
