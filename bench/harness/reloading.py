"""The servers whose reload is compared: how each is configured, started and told to reload. METHOD.md says why so.

Each has one worker and routes `/live` and `/generation-N`, where N changes with each reload.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

from . import peers

PORT = 19600
BACKEND = 19601
START_SECONDS = 20


class Server:
    """`process` is the one that was started; its children, and theirs, belong to it."""

    name = ""

    def __init__(self, folder):
        self.folder = folder / self.name
        self.folder.mkdir()
        self.process = None

    def start(self):
        self.configure(0)
        log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(
            [str(part) for part in self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            start_new_session=True, env={**os.environ, "GOMAXPROCS": "1", "XDG_DATA_HOME": str(self.folder),
                                         "XDG_CONFIG_HOME": str(self.folder)},
        )

    def reload(self, generation):
        self.configure(generation)
        self.tell()

    def tell(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        """All of it, with what earlier generations have left behind."""
        if self.process.poll() is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()

    def write(self, name, text):
        """In one step, as an operator's tool does it."""
        path = self.folder / name
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)

    def processes(self):
        """(number, proportional memory in bytes) of each process."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":  # its session
                    found.append((int(stat.parent.name), memory(stat.parent)))
            except (OSError, ValueError):
                continue  # it has just ended
        return found


def memory(process):
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise ValueError("no Pss")


class Tidegate(Server):
    name = "tidegate"

    def configure(self, generation):
        routes = "".join(
            f'[[route]]\npath = "{path}"\nbackend = "ws://127.0.0.1:{BACKEND}"\n' for path in paths(generation)
        )
        self.write("tidegate.toml", 'workers = 1\naccess_log = "off"\n'
                   f'[[listener]]\naddress = "127.0.0.1:{PORT}"\n{routes}')

    def command(self):
        return [peers.TIDEGATE, "serve", "-c", "tidegate.toml"]


class Nginx(Server):
    name = "nginx"
    shutdown = ""

    def configure(self, generation):
        locations = "".join(f"""
        location = {path} {{
            proxy_pass http://127.0.0.1:{BACKEND}; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $host;
            proxy_read_timeout 1h; proxy_send_timeout 1h;
        }}""" for path in paths(generation))
        self.write("nginx.conf", f"""
daemon off; worker_processes 1; pid {self.folder}/pid; error_log stderr error; worker_rlimit_nofile 20000;
{self.shutdown}
events {{ worker_connections 10000; }}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{PORT} backlog=4096;{locations}
    }}
}}
""")

    def command(self):
        return ["nginx", "-p", self.folder, "-e", "stderr", "-c", self.folder / "nginx.conf"]


class NginxShutdown(Nginx):
    name = "nginx-shutdown-10s"
    shutdown = "worker_shutdown_timeout 10s;"


class Haproxy(Server):
    name = "haproxy"

    def configure(self, generation):
        served = " ".join(paths(generation))
        self.write("haproxy.cfg", f"""
global
    maxconn 5000
    nbthread 1
    stats socket {self.folder}/stats.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend in
    bind 127.0.0.1:{PORT} backlog 4096
    acl served path {served}
    http-request deny deny_status 404 unless served
    default_backend out
backend out
    server one 127.0.0.1:{BACKEND}
""")

    def command(self):
        return ["haproxy", "-W", "-db", "-f", "haproxy.cfg"]

    def tell(self):
        self.process.send_signal(signal.SIGUSR2)


class Caddy(Server):
    name = "caddy"

    def configure(self, generation):
        routes = "".join(f"""
    handle {path} {{
        reverse_proxy 127.0.0.1:{BACKEND}
    }}""" for path in paths(generation))
        self.write("Caddyfile", f"""
{{
    admin unix/{self.folder}/admin.sock
    auto_https off
}}
http://127.0.0.1:{PORT} {{{routes}
    handle {{
        respond 404
    }}
}}
""")

    def command(self):
        return ["caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"]

    def tell(self):
        subprocess.run(
            ["caddy", "reload", "--adapter", "caddyfile", "--config", "Caddyfile", "--address",
             f"unix/{self.folder}/admin.sock"],
            cwd=self.folder, check=True, capture_output=True, timeout=60,
        )


def paths(generation):
    return ["/live", f"/generation-{generation}"]


SERVERS = [Tidegate, Nginx, NginxShutdown, Haproxy, Caddy]
NEEDS = {"tidegate": str(peers.TIDEGATE), "nginx": "nginx", "nginx-shutdown-10s": "nginx", "haproxy": "haproxy",
         "caddy": "caddy"}
