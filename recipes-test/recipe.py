"""One page, followed from top to bottom."""

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from page import Block, blocks, displays, missing_headings, ports
from servers import Failed, Servers, free_ports

COMMAND_SECONDS_MAX = 20
ACCESS_SECONDS_MAX = 5
DISPLAYS = range(61, 99)

NGINX_MAIN = """\
pid {etc}/nginx.pid;
error_log {etc}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {etc}/body;
    proxy_temp_path {etc}/proxy;
    fastcgi_temp_path {etc}/fastcgi;
    uwsgi_temp_path {etc}/uwsgi;
    scgi_temp_path {etc}/scgi;
    server {{ listen 127.0.0.1:{port}; }}
    include {etc}/conf.d/*.conf;
}}
"""

# `nginx -s reload` returns before it has happened: this waits until the old workers have stopped to accept.
NGINX_COMMAND = """\
#!/bin/sh
set -- -e {etc}/error.log -c {main} "$@"
[ "$6" = reload ] || exec /usr/sbin/nginx "$@"
master=$(cat {etc}/nginx.pid)
old=$(cat "/proc/$master/task/$master/children")
/usr/sbin/nginx "$@" || exit
for attempt in $(seq 100); do
    working=
    for pid in $old; do
        case $({{ tr '\\0' ' ' <"/proc/$pid/cmdline"; }} 2>/dev/null) in "" | *"shutting down"*) ;; *) working=yes ;; esac
    done
    [ -n "$working" ] || exit 0
    sleep 0.05
done
echo "nginx has not reloaded after 100 looks" >&2
exit 1
"""


class Recipe:
    """A page and the folder in which it is followed."""

    def __init__(self, path: Path, gateway: Path, work: Path) -> None:
        self.name = path.stem
        self._markdown = path.read_text(encoding="utf-8")
        self._folder = work / "run" / self.name / "here"
        self._logs = self._folder.parent
        shutil.rmtree(self._logs, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._etc = self._logs / "etc-nginx"
        *numbers, nginx_port = free_ports(len(ports(self._markdown)) + 1)
        self._replaced = dict(zip(ports(self._markdown), map(str, numbers), strict=True))
        self._environment = self._make_commands(gateway, nginx_port)
        (self._folder / "venv").symlink_to(work / "venv")
        self._servers = Servers(self._folder, self._logs, self._environment, {*numbers, nginx_port})
        self._nginx_needed = "/etc/nginx/" in self._markdown
        self._access_read = 0

    def steps(self) -> Iterator[tuple[str, Any]]:
        """The name of each step and a function that does it, and raises `Failed` if it does not work."""
        yield f"{self.name}: has all its sections", self._check_headings
        if self._nginx_needed:
            yield f"{self.name}: nginx runs", lambda: self._servers.start("nginx -g 'daemon off;'")
        found = [self._replace(block) for block in blocks(self._markdown)]
        for before, block, after in zip([None, *found], found, [*found[1:], None], strict=False):
            if block.words == ("sh", "install"):
                continue
            if block.words == ("text",) and before and before.language == "sh" and before.order in {"", "without"}:
                continue
            shown = after if after and after.words == ("text",) else None
            name = block.file_name or block.text.strip().splitlines()[0][:70]
            yield f"{self.name}:{block.line}: {name}", lambda block=block, shown=shown: self._do(block, shown)

    def close(self) -> None:
        self._servers.stop_all()

    def _check_headings(self) -> None:
        if missing := missing_headings(self._markdown):
            raise Failed(f"no section {missing}")

    def _do(self, block: Block, shown: Block | None) -> None:
        argument = block.words[2] if len(block.words) > 2 else ""
        match block.language, block.order:
            case _, "" if block.file_name:
                path = self._folder / block.file_name
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            case "json", "access":
                self._expect_access_line(json.loads(block.text))
            case "sh", "serve":
                for command in block.text.replace("\\\n", " ").splitlines():
                    self._servers.start(command)
            case "sh", "without":
                self._servers.stop(argument)
                self._run(block, shown)
            case "sh", "restart":
                self._run(block, shown)
                self._servers.start(self._servers.stop(argument))
            case "sh", "":
                self._run(block, shown)
            case _:
                raise Failed(f"a block that nothing is known to be done with: {' '.join(block.words)}")

    def _run(self, block: Block, shown: Block | None) -> None:
        try:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise Failed(f"not done after {COMMAND_SECONDS_MAX} s; it printed {late.stdout!r}") from None
        printed = done.stdout.decode(errors="replace").replace("\r", "")
        if done.returncode != 0:
            raise Failed(f"exit status {done.returncode}; it printed {printed!r}")
        if shown and not is_like(shown.text, printed):
            raise Failed(f"the page shows {shown.text!r}, but it printed {printed!r}")

    def _expect_access_line(self, wanted: dict[str, Any]) -> None:
        """A line since the last one that was asked for; it is written when a WebSocket has ended, so it may be late."""
        deadline = time.monotonic() + ACCESS_SECONDS_MAX
        while True:
            lines = self._servers.access_log.read_text(encoding="utf-8").splitlines()
            for index, line in enumerate(lines[self._access_read :], self._access_read):
                if holds(wanted, json.loads(line)):
                    self._access_read = index + 1
                    return
            if time.monotonic() > deadline:
                raise Failed(f"no access line holds {wanted}; since the last there are {lines[self._access_read :]}")
            time.sleep(0.02)

    def _replace(self, block: Block) -> Block:
        text = block.text
        for old, new in self._replaced.items():
            text = re.sub(rf"(?<![\d.]){old}(?!\d|\.\d)", new, text)
        for display in displays(self._markdown):
            text = re.sub(rf"\bXvnc :{display}\b", f"Xvnc :{free_display()}", text)
        text = text.replace("/etc/nginx/", f"{self._etc}/")
        return Block(block.words, text, block.line, block.file_name)

    def _make_commands(self, gateway: Path, nginx_port: int) -> dict[str, str]:
        """The commands that mean something else here than on the reader's machine."""
        bin_folder = self._logs / "bin"
        bin_folder.mkdir()
        (self._etc / "conf.d").mkdir(parents=True)
        main = self._etc / "nginx.conf"
        main.write_text(NGINX_MAIN.format(etc=self._etc, port=nginx_port), encoding="utf-8")
        (bin_folder / "tidegate").symlink_to(gateway)
        scripts = {
            "sudo": '#!/bin/sh\nexec "$@"\n',
            "nginx": NGINX_COMMAND.format(main=shlex.quote(str(main)), etc=shlex.quote(str(self._etc))),
        }
        for name, script in scripts.items():
            (bin_folder / name).write_text(script, encoding="utf-8")
            (bin_folder / name).chmod(0o755)
        path = f"{bin_folder}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
        return {"PATH": path, "HOME": str(self._logs), "LC_ALL": "C.UTF-8"}


def is_like(shown: str, printed: str) -> bool:
    """Whether `printed` is what the page shows, an ellipsis standing for anything within a line."""
    pattern = "[^\n]*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip()) is not None


def holds(wanted: dict[str, Any], line: dict[str, Any]) -> bool:
    def same(value: Any, found: Any) -> bool:
        return is_like(value, found) if isinstance(value, str) and isinstance(found, str) else value == found

    return all(key in line and same(value, line[key]) for key, value in wanted.items())


def free_display() -> int:
    for number in DISPLAYS:
        if not Path(f"/tmp/.X{number}-lock").exists() and not Path(f"/tmp/.X11-unix/X{number}").exists():
            return number
    raise Failed(f"no X display of {DISPLAYS} is free")
