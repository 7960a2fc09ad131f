"""connect_client.py GATEWAY ADDRESS: runs every case of the suite at ADDRESS with `GATEWAY connect`, one process each.

That copies bytes: where messages begin and end, and which of them are text, does not reach its local side. So that side
takes what comes and sends nothing, and the cases are those that ask for no answer but one of the protocol itself.
"""

import subprocess
import sys

# No case is silent for that long.
IDLE_TIMEOUT = "60s"
AGENT = "tidegate-connect"


def connect(gateway: str, url: str) -> tuple[int, bytes]:
    """Until the suite ends the connection: the exit status, and all data that came."""
    command = [gateway, "connect", "--no-proxy", "--idle-timeout", IDLE_TIMEOUT, "stdio:", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            # Not communicate(), which would end its input, and with that the connection.
            data = process.stdout.read()
            return process.wait(), data
        finally:
            process.kill()


def main() -> int:
    gateway, address = sys.argv[1:]
    _, count = connect(gateway, f"ws://{address}/getCaseCount")
    for case in range(1, int(count) + 1):
        status, data = connect(gateway, f"ws://{address}/runCase?case={case}&agent={AGENT}")
        print(f"case {case}: status {status} after {len(data)} bytes", flush=True)
    status, _ = connect(gateway, f"ws://{address}/updateReports?agent={AGENT}")
    return status


if __name__ == "__main__":
    sys.exit(main())
