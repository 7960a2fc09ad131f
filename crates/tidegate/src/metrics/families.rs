//! Every metric there is: name, kind, labels, and what it says. `docs/metrics.md` is made of this list.

use prometheus_client::metrics::MetricType;

/// A metric with all its labels.
#[derive(Debug)]
pub(crate) struct Family {
    /// Without the `_total` that counters end with.
    pub(crate) name: &'static str,
    pub(crate) kind: MetricType,
    pub(crate) labels: &'static [&'static str],
    /// One sentence.
    pub(crate) help: &'static str,
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $constant: Family = Family {
            name: $name,
            kind: MetricType::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order in which they are written.
        #[cfg(test)]
        pub(crate) const FAMILIES: &[&Family] = &[$(&$constant),*];
    };
}

families! {
    BUILD = Gauge "tidegate_build_info" ["version"] "Always 1; the version is a label.";
    UPTIME = Gauge "tidegate_uptime_seconds" [] "Time since the start.";
    DRAINING = Gauge "tidegate_draining" [] "1 from the moment that the gateway begins to stop.";

    GENERATION = Gauge "tidegate_config_generation" [] "Number of the configuration that is in force: 1 at the start, one more with each reload.";
    RELOADS = Counter "tidegate_reloads" ["result"] "Reloads: ok, or failed with nothing changed.";

    HANDOVERS = Counter "tidegate_handovers" ["result"] "Hand-overs to a new process: ok, or failed with everything going on in the old one; taken is said by the new one.";
    TAKEN_OVER = Counter "tidegate_websockets_taken_over" [] "WebSockets that came open from the process before this one.";

    ACCEPTED = Counter "tidegate_connections_accepted" [] "Connections that a worker has taken up.";
    CONNECTIONS = Gauge "tidegate_connections_open" [] "Connections that are open, of whatever kind.";
    CONNECTIONS_MAX = Gauge "tidegate_connections_max" [] "Connections that may be open: max_connections, or what the descriptor limit allows.";
    WAITING = Gauge "tidegate_connections_waiting" [] "Connections accepted that have no place: above 0, more of them wait in the kernel.";
    HANDSHAKES = Gauge "tidegate_handshakes_open" [] "Connections that have not finished their handshake.";
    HANDSHAKES_MAX = Gauge "tidegate_handshakes_max" [] "Handshakes that may be under way: max_handshakes.";
    TLS = Counter "tidegate_tls_handshakes" ["result", "version"] "TLS handshakes of clients: ok, failed or timeout.";

    CERTIFICATE_END = Gauge "tidegate_certificate_expiry_timestamp_seconds" ["listener", "file"] "When a certificate that is served expires, in seconds since the epoch.";

    REQUESTS = Counter "tidegate_requests" ["route", "kind", "status"] "Requests that were answered. kind is websocket for those that asked for one; 499 are clients that went before.";
    REFUSALS = Counter "tidegate_refusals" ["route", "reason"] "Requests that the gateway itself refused.";

    OPEN = Gauge "tidegate_websockets_open" ["route"] "WebSockets that are open.";
    OPENED = Counter "tidegate_websockets_opened" ["route"] "WebSockets whose client was told yes.";
    CLOSED = Counter "tidegate_websockets_closed" ["route", "end", "code", "closed_by"] "WebSockets that have ended: why, with which Close code, and who began it. 3xxx and 4xxx are codes that applications choose.";
    DURATION = Histogram "tidegate_websocket_duration_seconds" ["route"] "How long WebSockets lasted that have ended.";

    MESSAGES = Counter "tidegate_messages" ["route", "direction", "kind"] "Messages: in is from the client. Bytes of a raw backend are a message for each read.";
    BYTES = Counter "tidegate_payload_bytes" ["route", "direction"] "Bytes of those messages; compressed ones count as they were before where the gateway compresses.";
    CONTROLS = Counter "tidegate_client_control_frames" ["route"] "Pings and pongs of clients, without answers to the gateway's own pings.";
    PINGS = Counter "tidegate_pings_sent" ["route"] "Pings of the gateway's own.";
    ROUND_TRIP = Histogram "tidegate_ping_round_trip_seconds" ["route"] "How long clients took to answer them.";
    BUFFERED = Gauge "tidegate_buffered_bytes" ["route"] "Bytes held because the side they are for does not take them.";

    BACKEND_OPEN = Gauge "tidegate_backend_connections_open" ["route", "backend"] "Connections to each backend, those included that are being tried.";
    BACKEND_CONNECTS = Counter "tidegate_backend_connects" ["route", "backend", "result"] "Connections to each backend that were tried, and what came of them.";
    BACKEND_RESTING = Gauge "tidegate_backend_resting" ["route", "backend"] "1 while others are tried before this backend, because it took no connection.";

    LINES_LOST = Counter "tidegate_access_log_lines_lost" [] "Lines of the access log that were lost: they came faster than they could be written, or the disk was full.";

    CPU = Counter "process_cpu_seconds" [] "Processor time, of user and system.";
    RESIDENT = Gauge "process_resident_memory_bytes" [] "Resident memory.";
    VIRTUAL = Gauge "process_virtual_memory_bytes" [] "Virtual memory.";
    THREADS = Gauge "process_threads" [] "Threads.";
    DESCRIPTORS = Gauge "process_open_fds" [] "Open file descriptors.";
    DESCRIPTORS_MAX = Gauge "process_max_fds" [] "File descriptors that may be open.";
    START = Gauge "process_start_time_seconds" [] "When the process started, in seconds since the epoch.";
}

#[cfg(test)]
impl Family {
    /// As it stands in a query: counters end with `_total`. Histograms have `_bucket`, `_sum` and `_count` behind it.
    pub(crate) fn queried_name(&self) -> String {
        match self.kind {
            MetricType::Counter => format!("{}_total", self.name),
            MetricType::Gauge | MetricType::Histogram | MetricType::Info | MetricType::Unknown => {
                self.name.to_owned()
            }
        }
    }
}
