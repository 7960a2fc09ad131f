"""Apache with a virtual host of the run."""

import os
from pathlib import Path

from front import Front

BINARY = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
ALWAYS = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "headers", "proxy")
THREADS = 256
"""As each WebSocket occupies one; the checks have up to 100 at once."""

MAIN = """\
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
Mutex posixsem default
ErrorLog {folder}/front.log
LogLevel warn
ServerName localhost
Listen 127.0.0.1:{port}
StartServers 1
ServerLimit 1
ThreadsPerChild {threads}
ThreadLimit {threads}
MaxRequestWorkers {threads}
"""
# Apache lets no worker be root. These are of every Debian, and need to read nothing here.
WORKERS = "User nobody\nGroup nogroup\n"


def apache(folder: Path, port: int, modules: tuple[str, ...], host: str) -> Front:
    """`host` is the text of the virtual host, which names `port` itself."""
    loaded = [f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in (*ALWAYS, *modules)]
    main = MAIN.format(folder=folder, port=port, threads=THREADS)
    config = folder / "apache.conf"
    config.write_text("".join(loaded) + main + (WORKERS if os.geteuid() == 0 else "") + host)
    return Front([BINARY, "-DFOREGROUND", "-f", config], folder, port)
