//! What `--help` says below the options, and the manual pages behind them.
//!
//! Each section is a heading at the margin with a colon behind it, and lines that are indented and fit into 80 columns.

pub(super) const TIDEGATE: &str = "\
Examples:
  tidegate serve
      try it: a page and an echo on http://127.0.0.1:8080
  tidegate serve --route '/vnc=tcp://127.0.0.1:5900'
      a TCP service behind ws://127.0.0.1:8080/vnc
  tidegate serve -c tidegate.toml
      serve what a file says
  tidegate check -c tidegate.toml
      show what the file says, or every mistake in it
  tidegate connect tcp://127.0.0.1:5900 wss://gw.example.com/vnc
      the other end: a local port that leads through a gateway
  tidegate import lighttpd lighttpd.conf
      a tidegate.toml from a configuration of lighttpd
  tidegate import websockify -- 6080 localhost:5900
      a tidegate.toml from a command line of websockify
  tidegate status --admin 127.0.0.1:9090
      the state of a running gateway
  tidegate replay session.har --fast
      play a recording to each client

Exit status:
  0  done; of serve: stopped by a signal
  1  failed
  2  wrong usage

Environment:
  TIDEGATE_LOG  what serve, connect and replay log on standard error: error,
                warn, info (the default), debug, trace or off; for one part
                alone TARGET=LEVEL, as in info,tidegate::auth=debug";

pub(super) const SERVE: &str = "\
Examples:
  tidegate serve
      a built-in page, an echo and a status page on http://127.0.0.1:8080
  tidegate serve --route '/vnc=tcp://127.0.0.1:5900' --route '/*=file:./noVNC'
      a desktop, and the page that shows it
  tidegate serve -c /etc/tidegate/tidegate.toml
      serve what a file says

Exit status:
  0  stopped by a signal, after connections were closed
  1  could not start: an error in the configuration, an address, a certificate
  2  wrong usage, an error in --listen, --route and the like included

Signals:
  SIGTERM, SIGINT  stop: close WebSockets with 1001 and wait for them, for as
                   long as drain says; a second one stops at once
  SIGQUIT          the same with 1012, for a restart
  SIGHUP           read the configuration again and reopen the access log
  SIGUSR2          hand over to a new process: see tidegate upgrade --help

Environment:
  TIDEGATE_LOG   error, warn, info (the default), debug, trace or off
  LISTEN_FDS     sockets from systemd, for address = \"systemd:NAME\"
  NOTIFY_SOCKET  where systemd is told that the gateway is ready

Files:
  tidegate.toml  the configuration; read only if it is named";

pub(super) const RELOAD: &str = "\
Examples:
  tidegate reload -c /etc/tidegate/tidegate.toml
      over the admin listener that this file sets; the outcome is printed
  tidegate reload --pid 4711
      with a signal; the outcome is in the log of the gateway. For --pid-file
      a supervisor has to write the file: the gateway writes none, and after
      an upgrade its process id is another

Exit status:
  0  reloaded; with --pid or --pid-file: the gateway was told
  1  nothing has changed: the configuration has errors, or the gateway cannot
     be reached
  2  wrong usage";

pub(super) const UPGRADE: &str = "\
Examples:
  tidegate upgrade -c /etc/tidegate/tidegate.toml
      after the binary was replaced; how many WebSockets moved is printed
  tidegate upgrade --admin unix:/run/tidegate/admin.sock --binary ./tidegate
      to a binary at another place
  tidegate upgrade --pid 4711
      with a signal; the outcome is in the log of the gateway

Exit status:
  0  handed over; with --pid or --pid-file: the gateway was told
  1  the old process goes on as before, or cannot be reached
  2  wrong usage";

pub(super) const CHECK: &str = "\
Examples:
  tidegate check tidegate.toml
  tidegate check --deny-warnings tidegate.toml && systemctl reload tidegate

Exit status:
  0  can be served
  1  has errors, or warnings with --deny-warnings
  2  wrong usage";

pub(super) const CONNECT: &str = "\
Examples:
  tidegate connect tcp://127.0.0.1:5900 wss://gw.example.com/vnc
      a VNC viewer on this machine reaches the desktop behind the gateway
  tidegate connect --reconnect --ping-interval 30s unix:/run/db.sock \\
      wss://gw.example.com/db
      through firewalls that forget quiet connections, and through outages
  ssh -o ProxyCommand='tidegate connect stdio: wss://gw.example.com/ssh' host
      ssh where nothing but port 443 is open
  printf question | tidegate connect --no-close stdio: wss://gw.example.com/ask
      without --no-close, the end of the input ends the WebSocket, and an
      answer that is still to come is lost
  tidegate connect --desc exampledesc.json tcp://127.0.0.1:4132
      the server that a description of rpc-frmwrk names

Exit status:
  With tcp:// and unix: 0 after a signal, 1 if it cannot listen, 2 for wrong
  usage and files that cannot be used. With stdio:
  0             closed with 1000, 1001 or without a code
  1             standard output broke, or the system refused a resource
  2             wrong usage
  3             no connection: name, TCP, proxy, TLS, or too late
  4             refused by the server
  5             lost without a Close
  6             the server broke the protocol
  7             given up: --stall-timeout, --ping-timeout or --idle-timeout
  8             with --text: the input is not UTF-8
  102-114       closed by the server with 1002 to 1014
  120, 121      closed with 3000 to 3999, with 4000 to 4999
  129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM

Signals:
  SIGHUP, SIGINT, SIGTERM  close every connection with 1001, and end

Environment:
  TIDEGATE_LOG             error, warn, info (the default), debug, trace or off
  TIDEGATE_PASSWORD        the password of --user
  TIDEGATE_BEARER          a token, as in a file of --bearer-file
  TIDEGATE_PROXY_PASSWORD  the password of --proxy-user
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY
                           the proxy, unless --proxy or --no-proxy is given";

pub(super) const IMPORT: &str = "\
Examples:
  tidegate import lighttpd /etc/lighttpd/lighttpd.conf > tidegate.toml
  tidegate import websockify -- 6080 localhost:5900 > tidegate.toml

Exit status:
  0  converted, as far as the report on standard error says
  1  failed; with --strict also if anything has no equivalent
  2  wrong usage";

pub(super) const STATUS: &str = "\
Examples:
  tidegate status -c /etc/tidegate/tidegate.toml
  tidegate status --admin 127.0.0.1:9090 --json

Exit status:
  0  shown
  1  the gateway cannot be reached, or refuses
  2  wrong usage";

pub(super) const DRAIN: &str = "\
Examples:
  tidegate drain -c tidegate.toml --route /vnc --window 10m
      close the WebSockets of one route within ten minutes
  tidegate drain -c tidegate.toml --window 1h --idle 30s
      within an hour, close those that nothing has passed through for 30 s

Exit status:
  0  told; they close at their own times
  1  the gateway cannot be reached, or refuses: no route has this name
  2  wrong usage";

pub(super) const CLOSE: &str = "\
Examples:
  tidegate close 1234 -c tidegate.toml --code 1008 --reason 'not allowed here'

Exit status:
  0  told
  1  there is no such connection, or the gateway cannot be reached
  2  wrong usage";

pub(super) const REPLAY: &str = "\
Examples:
  tidegate replay session.har
      to each client of ws://127.0.0.1:8080, at the speed it was recorded
  tidegate replay session.har --fast --once
      as fast as the first client takes it, and end

Environment:
  TIDEGATE_LOG  error, warn, info (the default), debug, trace or off";

pub(super) const MAN: &str = "\
Examples:
  tidegate man | man -l -
  tidegate man serve | man -l -
  tidegate man tidegate.toml | man -l -
  tidegate man --dir /usr/local/share/man/man1";
