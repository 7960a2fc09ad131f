//! Everything that can be asked here, as data: the requests are matched against it, and the description is made of it.

use http::Method;

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) action: Action,
    pub(super) method: Method,
    /// With `{name}` for a segment that is a parameter.
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    /// Media type of the answer.
    pub(super) media: &'static str,
    /// Statuses of answers, with what they mean.
    pub(super) answers: &'static [(u16, &'static str)],
}

/// Something in the path or the query.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// `string` or `integer`.
    pub(super) schema: &'static str,
    pub(super) description: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Health,
    Ready,
    Metrics,
    Description,
    Status,
    Routes,
    Config,
    Connections,
    Connection,
    Close,
    Drain,
    Reload,
    Upgrade,
}

impl Operation {
    /// Whether it is asked without the token: load balancers have none, and learn nothing else here.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.action, Action::Health | Action::Ready)
    }

    /// Whether it changes something.
    pub(super) fn changes(&self) -> bool {
        self.method != Method::GET
    }

    /// What is wrong with a body.
    pub(super) fn without_body(&self) -> String {
        match self.query().first() {
            Some(name) => {
                format!("this takes no body: parameters stand in the query, as in {}?{name}=…", self.path)
            }
            None => "this takes neither a body nor parameters".to_owned(),
        }
    }

    /// The parameters of the query.
    pub(super) fn query(&self) -> Vec<&'static str> {
        let in_path = |name: &str| self.path.contains(&format!("{{{name}}}"));
        self.parameters.iter().map(|parameter| parameter.name).filter(|name| !in_path(name)).collect()
    }

    /// The segment in place of the parameter, or the empty string where the path has none; `None` if it is another path.
    pub(super) fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((before, _)) = self.path.split_once('{') else { return (path == self.path).then_some("") };
        path.strip_prefix(before).filter(|segment| !segment.is_empty() && !segment.contains('/'))
    }
}

pub(super) const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// All of them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        action: Action::Health,
        method: Method::GET,
        path: "/healthz",
        summary: "Whether the process is alive. Needs no token.",
        parameters: &[],
        media: TEXT,
        answers: &[(200, "It is.")],
    },
    Operation {
        action: Action::Ready,
        method: Method::GET,
        path: "/readyz",
        summary: "Whether it takes connections. Needs no token.",
        parameters: &[],
        media: TEXT,
        answers: &[(200, "It does."), (503, "It does not: it drains, or memory is short.")],
    },
    Operation {
        action: Action::Metrics,
        method: Method::GET,
        path: "/metrics",
        summary: "Every metric, in the text format of OpenMetrics.",
        parameters: &[],
        media: crate::metrics::exposition::CONTENT_TYPE,
        answers: &[(200, "The metrics.")],
    },
    Operation {
        action: Action::Description,
        method: Method::GET,
        path: "/openapi.json",
        summary: "This description.",
        parameters: &[],
        media: JSON,
        answers: &[(200, "The description.")],
    },
    Operation {
        action: Action::Routes,
        method: Method::GET,
        path: "/routes",
        summary: "The route table with its backends and what goes through it.",
        parameters: &[],
        media: JSON,
        answers: &[(200, "The routes, in file order.")],
    },
    Operation {
        action: Action::Status,
        method: Method::GET,
        path: "/status",
        summary: "The gateway in a few numbers.",
        parameters: &[],
        media: JSON,
        answers: &[(200, "The numbers.")],
    },
    Operation {
        action: Action::Config,
        method: Method::GET,
        path: "/config",
        summary: "The configuration in force, every key with its value, without secrets.",
        parameters: &[],
        media: JSON,
        answers: &[(200, "The configuration, in the words of the file.")],
    },
    Operation {
        action: Action::Connections,
        method: Method::GET,
        path: "/connections",
        summary: "The WebSockets that are open, a page of at most 1000.",
        parameters: &[ROUTE, CLIENT, STATE, SORT, AFTER, LIMIT],
        media: JSON,
        answers: &[(200, "A page; next_after begins the next one, and is null on the last."), BAD, NO_ROUTE],
    },
    Operation {
        action: Action::Connection,
        method: Method::GET,
        path: "/connections/{conn}",
        summary: "One of them.",
        parameters: &[CONN],
        media: JSON,
        answers: &[(200, "The WebSocket."), NONE],
    },
    Operation {
        action: Action::Close,
        method: Method::DELETE,
        path: "/connections/{conn}",
        summary: "Closes one of them, at the end of the message that is under way.",
        parameters: &[CONN, CODE, REASON],
        media: JSON,
        answers: &[(202, "It was told."), BAD, DENIED, NONE, HANDS_OVER],
    },
    Operation {
        action: Action::Drain,
        method: Method::POST,
        path: "/drain",
        summary: "Closes those that are meant, spread over a time. New ones are let in.",
        parameters: &[ROUTE, CLIENT, WINDOW, IDLE, CODE, REASON],
        media: JSON,
        answers: &[
            (202, "So many were told; the last of them closes after over_seconds."),
            BAD,
            DENIED,
            NO_ROUTE,
            HANDS_OVER,
        ],
    },
    Operation {
        action: Action::Reload,
        method: Method::POST,
        path: "/reload",
        summary: "Reads the configuration again, and puts it in force whole or not at all.",
        parameters: &[],
        media: JSON,
        answers: &[
            (200, "It is in force; report says what has changed, and warnings what to look at."),
            BAD,
            DENIED,
            (422, "It has errors; nothing has changed."),
            (503, "Too many reloads at once, or the gateway stops."),
        ],
    },
    Operation {
        action: Action::Upgrade,
        method: Method::POST,
        path: "/upgrade",
        summary: "Hands listeners and WebSockets over to a new process of the gateway, and ends this one.",
        parameters: &[BINARY],
        media: JSON,
        answers: &[
            (
                200,
                "The new process serves; the report says how many WebSockets have moved and why others stay. These are told to \
                 reconnect within told_within_seconds.",
            ),
            BAD,
            (403, "Not asked deliberately, or a binary is named where any user of the machine can ask."),
            (422, "The new process did not take over; everything goes on in this one."),
            (503, "Another hand-over is under way, or the gateway stops."),
        ],
    },
];

const BAD: (u16, &str) = (400, "The query is wrong, or there is a body; the answer says what to write.");
const DENIED: (u16, &str) = (403, "Neither Content-Type: application/json nor a field X-Tidegate.");
const NO_ROUTE: (u16, &str) = (404, "No route has this name; the answer lists those there are.");
const HANDS_OVER: (u16, &str) = (503, "A hand-over is under way: ask again when it has come to its end.");
const NONE: (u16, &str) = (404, "There is none of this number, or it has ended.");

const CONN: Parameter = integer("conn", "Number of the connection, as in the access log.");
const ROUTE: Parameter = string("route", "Only those of the route of this name.");
const CLIENT: Parameter =
    string("client", "Only those of this client address, or network such as 192.0.2.0/24.");
const STATE: Parameter = string("state", "open, or closing: told to close, and doing so.");
const SORT: Parameter =
    string("sort", "conn (the default), or bytes: those that have moved the most, on one page.");
const AFTER: Parameter = integer("after", "Only connections with a greater number.");
const LIMIT: Parameter = integer("limit", "So many at most, up to 1000. Default: 100.");
const WINDOW: Parameter =
    string("window", "Spread over this time, up to 24h. Default: no faster than drain_rate.");
const IDLE: Parameter =
    string("idle", "Only those through which nothing passes for so long, within the window.");
const BINARY: Parameter =
    string("binary", "Path of the new binary. Default: that of the running one, as it is there now.");
const CODE: Parameter =
    integer("code", "Close code: 1000, 1001, 1008, 1011, 1012, 1013 or 3000 to 4999. Default: 1001.");
const REASON: Parameter = string("reason", "The words beside it, at most 123 bytes.");

const fn string(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, schema: "string", description }
}

const fn integer(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, schema: "integer", description }
}
