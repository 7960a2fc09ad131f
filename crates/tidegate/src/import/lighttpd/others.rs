//! Directives of which no route and no listener is made: what is to be said about them.

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing has to be done for it to hold.
    Note(&'static str),
    /// It does not hold any more.
    Without(&'static str),
}

/// What becomes of this directive, known or not.
pub(super) fn verdict(name: &str) -> Verdict {
    let row = ROWS.iter().find(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    });
    row.map_or(Verdict::Without("is not known here"), |(_, verdict)| *verdict)
}

/// The first row that fits. For what access rules lead to see `guards`.
#[rustfmt::skip]
const ROWS: &[(&str, Verdict)] = &[
    ("server.modules", Verdict::Note("there is nothing to load")),
    ("server.errorlog", Verdict::Note("diagnosis goes to stderr")),
    ("server.breakagelog", Verdict::Note("diagnosis goes to stderr")),
    ("server.pid-file", Verdict::Note("the gateway stays in the foreground, for the service manager to watch")),
    ("server.username", Verdict::Note("start the gateway as the user that it shall be")),
    ("server.groupname", Verdict::Note("start the gateway as the user that it shall be")),
    ("server.max-worker", Verdict::Note("workers = 0 is one thread for each core")),
    ("server.max-fds", Verdict::Note("the limit of the system counts")),
    ("server.max-connections", Verdict::Without("write max_connections at the top of the file")),
    ("server.max-read-idle", Verdict::Note("is for requests that no route here is made of")),
    ("server.max-write-idle", Verdict::Note("a client that takes nothing for 30 seconds is left")),
    ("server.max-keep-alive-*", Verdict::Note("connections are kept as long as requests come in time")),
    ("server.event-handler", Verdict::Note("there is only one here")),
    ("server.network-backend", Verdict::Note("there is only one here")),
    ("server.stream-*", Verdict::Note("bodies are always passed on as they come")),
    ("server.upload-dirs", Verdict::Note("bodies are never written to files")),
    ("server.http-parseopts", Verdict::Note("requests are read strictly")),
    ("server.feature-flags", Verdict::Note("see drain for how long a stop waits")),
    ("server.tag", Verdict::Note("no Server field is sent")),
    ("server.name", Verdict::Note("the Host of the request counts")),
    ("server.core-files", Verdict::Note("the limit of the system counts")),
    ("server.stat-cache-engine", Verdict::Note("files are looked at for each request")),
    ("server.range-requests", Verdict::Without("ranges of a file are always served")),
    ("server.follow-symlink", Verdict::Note("links are followed within the folder, and not out of it")),
    ("server.chroot", Verdict::Without("paths are taken as they are written: put its folder in front of them")),
    ("server.error*", Verdict::Without("pages that say what is wrong are our own")),
    ("server.use-ipv6", Verdict::Without("each address needs a [[listener]] of its own")),
    ("server.bind", Verdict::Without("counts only outside of conditions")),
    ("server.port", Verdict::Without("counts only outside of conditions")),
    ("mimetype.*", Verdict::Note("types are built in")),
    ("etag.*", Verdict::Note("ETag is always sent")),
    ("static-file.exclude-extensions", Verdict::Without("files are served whatever their names end in; a folder with such is printed as a comment")),
    ("static-file.*", Verdict::Note("files whose names begin with a dot are never served")),
    ("deflate.*", Verdict::Note("name.gz or name.br beside a file is sent to those who take it")),
    ("compress.*", Verdict::Note("name.gz or name.br beside a file is sent to those who take it")),
    ("dir-listing.*", Verdict::Note("listings have one form")),
    ("debug.*", Verdict::Note("write TIDEGATE_LOG=debug in the environment")),
    ("websocket.debug", Verdict::Note("write TIDEGATE_LOG=debug in the environment")),
    ("wstunnel.debug", Verdict::Note("write TIDEGATE_LOG=debug in the environment")),
    ("proxy.debug", Verdict::Note("write TIDEGATE_LOG=debug in the environment")),
    ("proxy.forwarded", Verdict::Note("X-Forwarded-For, -Proto, -Host and -Port are always added")),
    ("accesslog.*", Verdict::Note("one JSON line for each request; see access_log for where it goes")),
    ("ssl.cipher-list", Verdict::Note("TLS 1.2 and 1.3 with modern ciphers only")),
    ("ssl.openssl.*", Verdict::Note("TLS 1.2 and 1.3 with modern ciphers only")),
    ("ssl.use-*", Verdict::Note("TLS 1.2 and 1.3 with modern ciphers only")),
    ("ssl.honor-cipher-order", Verdict::Note("TLS 1.2 and 1.3 with modern ciphers only")),
    ("ssl.dh-file", Verdict::Note("TLS 1.2 and 1.3 with modern ciphers only")),
    ("ssl.ec-curve", Verdict::Note("TLS 1.2 and 1.3 with modern ciphers only")),
    ("ssl.ca-file", Verdict::Without("put the certificates between into the file of ssl.pemfile, behind its own")),
    ("ssl.verifyclient.*", Verdict::Without("see client_ca of the [[listener]]; until then what it guards is printed as comments")),
    ("ssl.*", Verdict::Without("is not known here")),
    ("extforward.*", Verdict::Without("name the proxies in trusted_proxies of the [[listener]]")),
    ("auth.require", Verdict::Without("see [route.auth]; until then what it guards is printed as comments")),
    ("auth.*", Verdict::Without("see [route.auth]")),
    ("url.access-*", Verdict::Without("nothing is denied by name; what it guards is printed as comments")),
    ("url.*", Verdict::Without("paths and addresses are not rewritten, nor redirected")),
    ("magnet.*", Verdict::Without("scripts are not run; what one of them may guard is printed as comments")),
    ("evasive.*", Verdict::Without("see max_connections_per_client")),
    ("alias.url", Verdict::Without("write a [[route]] with path = \"/alias/*\" and backend = \"file:FOLDER\"")),
    ("setenv.*", Verdict::Without("fields are not added; see subprotocols for a fixed Sec-WebSocket-Protocol")),
    ("evhost.*", Verdict::Without("write a [[route]] with host and backend = \"file:FOLDER\" for each")),
    ("simple-vhost.*", Verdict::Without("write a [[route]] with host and backend = \"file:FOLDER\" for each")),
    ("fastcgi.*", Verdict::Without("put an HTTP server in front of it, and write backend = \"http://HOST:PORT\"")),
    ("scgi.*", Verdict::Without("put an HTTP server in front of it, and write backend = \"http://HOST:PORT\"")),
    ("cgi.*", Verdict::Without("programs are not run")),
    ("uwsgi.*", Verdict::Without("put an HTTP server in front of it, and write backend = \"http://HOST:PORT\"")),
    ("ajp13.*", Verdict::Without("let it speak HTTP, and write backend = \"http://HOST:PORT\"")),
    ("ssi.*", Verdict::Without("nothing is run on the way; a folder with such is printed as a comment")),
    ("cml.*", Verdict::Without("nothing is run on the way; a folder with such is printed as a comment")),
    ("webdav.*", Verdict::Without("files are only read; a folder that is written to is printed as a comment")),
    ("server.*", Verdict::Without("is not known here")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_hidden_by_an_earlier_one() {
        for (index, (pattern, verdict_of_row)) in ROWS.iter().enumerate() {
            let name = pattern.replace('*', "x");
            assert_eq!(verdict(&name), *verdict_of_row, "row {index}, {pattern}");
        }
    }

    #[test]
    fn what_nobody_knows() {
        assert_eq!(verdict("rrdtool.binary"), Verdict::Without("is not known here"));
    }
}
