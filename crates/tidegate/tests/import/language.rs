//! lighttpd's language: what is read, what is survived, and what is refused.

use crate::run::{Import, folder, text};

const ROUTE: &str = "wstunnel.server = ( \"/ws\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 1 ) ) )\n";

#[test]
fn a_tree_of_files() {
    let folder = folder(&[
        (
            "lighttpd.conf",
            "var.conf = \"conf-enabled\"\nserver.port = 8080\ninclude \"port.conf\"\ninclude_shell \"/bin/false\"\n\
             include var.conf + \"/*.conf\"\n",
        ),
        ("port.conf", "var.port = 7000 # of the backend\n"),
        (
            "conf-enabled/10-wstunnel.conf",
            "server.modules += ( \"mod_wstunnel\" )\nwstunnel.server = (\n \"/ws\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => var.port ) )\n)\n",
        ),
        (
            "conf-enabled/20-more.conf",
            "wstunnel.server += ( \"/more\" => ( ( \"host\" => \"::1\", \"port\" => 7001 ) ) )\n",
        ),
    ]);
    let import = Import::of(folder.path(), &["lighttpd.conf"]);
    insta::assert_snapshot!(import.report);
    insta::assert_snapshot!(import.checked());
}

#[test]
fn what_cannot_be_read_names_its_place_and_what_was_expected() {
    for (text_of_file, said) in [
        ("server.port 80\n", "lighttpd.conf:1:13: 80; expected =, += or :="),
        ("a.b = ( \"c\" \"d\" )\n", "lighttpd.conf:1:13: a string; expected , or )"),
        ("$HTTP[\"host\"] = \"a\" { }\n", "lighttpd.conf:1:15: =; expected ==, !=, =~, !~, =^ or =$"),
        (
            "$HTTP[\"host\"] == \"a\" {\n",
            "lighttpd.conf:2:1: the end of the file; expected } for the block that is open",
        ),
        ("a.b = \"c\n", "lighttpd.conf:1:7: a string without its closing quotation mark"),
        ("a.b = ( \"c\"\n", "lighttpd.conf:2:1: the end of the file; expected , or )"),
        ("a.b = 1 + ( 2 )\n", "lighttpd.conf:1:9: a list and a number, which cannot be added"),
        ("include 5\n", "lighttpd.conf:1:1: an include of what is no string; expected the name of a file"),
    ] {
        let import = text(text_of_file);
        assert_eq!(import.status, Some(1), "{text_of_file}");
        assert!(import.report.contains(said), "{text_of_file}: {}", import.report);
        assert_eq!(import.text, "", "{text_of_file}");
    }
}

#[test]
fn what_has_no_bound_of_its_own_is_bounded() {
    let doubling = format!("var.a = \"{}\"\n{}", "x".repeat(1000), "var.a = var.a + var.a\n".repeat(40));
    for (file, said) in [
        ("include \"lighttpd.conf\"\n".to_owned(), "more than 32 files and blocks in each other"),
        (format!("a.b = {}\n", "(".repeat(100_000)), "more than 32 files, blocks and lists in each other"),
        ("$HTTP[\"url\"] == \"/\" {\n".repeat(100), "more than 32 files, blocks and lists in each other"),
        (doubling, "a value of more than 262144 bytes and entries"),
        ("$A[\"b\"] == \"\" {} else ".repeat(5000), "one condition too many: there are more than 1000"),
        (" ".repeat((1 << 20) + 1), "has more than 1048576 bytes"),
        ("include \"/dev/zero\"\n".repeat(300), "an include of more than 256 files"),
    ] {
        let import = text(&file);
        assert_eq!(import.status, Some(1));
        assert!(import.report.contains(said), "{said}: {}", import.report);
    }
}

#[test]
fn what_is_not_known_is_reported_and_survived() {
    let import = text(&format!(
        "server.port = 8080\nrrdtool.binary = \"/usr/bin/rrdtool\"\nserver.bind = var.nowhere\nauth.require = ()\n{ROUTE}"
    ));
    import.checked();
    for (start, verdict) in [
        ("lighttpd.conf:2: rrdtool.binary", "no equivalent: is not known here"),
        (
            "lighttpd.conf:3: server.bind",
            "no equivalent: its value is not known: var.nowhere is not set: the listener is left out",
        ),
        (
            "lighttpd.conf:4: auth.require",
            "no equivalent: see [route.auth]; until then what it guards is printed as comments",
        ),
    ] {
        assert_eq!(import.line(start), format!("{start}: {verdict}"));
    }
}

/// What an access rule may guard is not opened because there is no such rule here: whoever reads it has to decide.
#[test]
fn what_is_guarded_is_left_out() {
    let files = "server.document-root = \"/srv\"\n";
    for (rule, guards_route, guards_files) in [
        ("auth.require = ( \"/\" => ( \"method\" => \"basic\" ) )", true, true),
        ("auth.require = var.nowhere", true, true),
        ("url.access-deny = ( \"\" )", true, true),
        ("url.access-deny = ( \"~\", \".inc\" )", false, true),
        ("url.access-allow = ( \".html\" )", true, true),
        ("ssl.verifyclient.enforce = \"enable\"", true, true),
        ("$HTTP[\"remoteip\"] != \"10.0.0.0/8\" { url.access-deny = ( \"\" ) }", true, true),
        (
            "$HTTP[\"url\"] =^ \"/a\" { auth.require = ( \"/a\" => ( \"method\" => \"digest\" ) ) }",
            false,
            true,
        ),
        ("url.access-deny = ( \"/admin\" )", true, true),
        ("ssl.verifyclient.activate = \"true\"", true, true),
        ("ssl.verifyclient.activate = 2", true, true),
        ("ssl.verifyclient.activate = \"whatever\"", true, true),
        ("include \"missing.conf\"", true, true),
        ("include var.nowhere", true, true),
        ("static-file.exclude-extensions = ( \".php\" )", false, true),
        ("fastcgi.server = ( \".php\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 9000 ) ) )", false, true),
        ("uwsgi.server = ( \".py\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 9000 ) ) )", false, true),
        ("ajp13.server = ( \".jsp\" => ( ( \"host\" => \"127.0.0.1\", \"port\" => 8009 ) ) )", false, true),
        ("ssi.extension = ( \".shtml\" )", false, true),
        ("cml.extension = \".cml\"", false, true),
        ("webdav.activate = \"enable\"", false, true),
        ("webdav.activate = \"disable\"", false, false),
        ("magnet.attract-response-start-to = ( \"/etc/lighttpd/members.lua\" )", true, true),
        ("trigger-before-download.deny-url = \"http://a.test/\"", true, true),
        ("ssl.verifyclient.activate = 0", false, false),
        ("auth.require = ( \"/admin\" => ( \"method\" => \"basic\" ) )", false, true),
        (
            "auth.require = ( \"/a\" => ( \"method\" => \"basic\" ), \"/w\" => ( \"method\" => \"basic\" ) )",
            true,
            true,
        ),
        ("auth.require = ( \"/ws/deep\" => ( \"method\" => \"basic\" ) )", true, true),
        (
            "auth.require = ( \"/a\" => ( \"method\" => \"basic\" ), \"b\" => ( \"method\" => \"basic\" ) )",
            true,
            true,
        ),
        (
            "server.force-lowercase-filenames = \"enable\"\nauth.require = ( \"/WS\" => ( \"method\" => \"basic\" ) )",
            true,
            true,
        ),
        ("magnet.attract-raw-url-to = ( \"/etc/lighttpd/members.lua\" )", true, true),
        ("$HTTP[\"host\"] == \"a.test\" { } else { url.access-deny = ( \"\" ) }", true, true),
        ("$HTTP[\"url\"] !~ \"^/\" { url.access-deny = ( \"\" ) }", false, false),
        ("auth.require = ()", false, false),
        ("ssl.verifyclient.enforce = \"disable\"", false, false),
        ("auth.backend = \"htpasswd\"", false, false),
    ] {
        let import = text(&format!("server.port = 8080\n{rule}\n{files}{ROUTE}"));
        assert_eq!(import.status, Some(0), "{rule}: {}", import.report);
        let is_left_out = |backend: &str| {
            let line = import.text.lines().find(|line| line.contains(&format!("backend = \"{backend}")));
            line.unwrap_or_else(|| panic!("{rule}: {}", import.text)).starts_with("# ")
        };
        assert_eq!((is_left_out("tcp:"), is_left_out("file:")), (guards_route, guards_files), "{rule}");
        assert_eq!(import.text.contains("LEFT OUT: "), guards_route || guards_files, "{rule}");
    }
}

/// What stands behind an `else` is not about what stands before it, and a condition is not about its opposite.
#[test]
fn what_a_rule_is_not_about_stays() {
    let host = |operator: &str| format!("$HTTP[\"host\"] {operator} \"a.test\"");
    let deny = "{ url.access-deny = ( \"\" ) }";
    for (lines, stays) in [
        (format!("{} {{ {ROUTE} }} else {deny}", host("==")), true),
        (
            format!("{} {{ {ROUTE} }}\nelse $HTTP[\"host\"] == \"b.test\" {{ }}\nelse {deny}", host("==")),
            true,
        ),
        (format!("$HTTP[\"host\"] == \"b.test\" {{ }}\nelse {deny}\n{} {{ {ROUTE} }}", host("==")), false),
        (format!("{} {{ {ROUTE} }}\n{} {deny}", host("=="), host("!=")), true),
        (format!("{} {{ {ROUTE} }}\n{} {deny}", host("=="), host("=$")), false),
        (format!("{} {{ {ROUTE} }} else {{ $HTTP[\"url\"] =~ \"x\" {deny} }}", host("==")), true),
        (format!("$SERVER[\"socket\"] == \":8080\" {{ {ROUTE} }} else {deny}"), false),
    ] {
        let import = text(&format!("server.port = 8080\n{lines}\n"));
        assert_eq!(import.status, Some(0), "{lines}: {}", import.report);
        assert_eq!(import.text.contains("\n[[route]]"), stays, "{lines}: {}", import.text);
        assert_eq!(import.text.contains("LEFT OUT: url.access-deny"), !stays, "{lines}: {}", import.text);
    }
}

#[test]
fn an_else_that_says_no_more_than_its_condition() {
    let block = |condition: &str, port: u16| {
        format!(
            "$HTTP[{condition} {{ wstunnel.server = ( \"\" => ( ( \"host\" => \"::1\", \"port\" => {port} ) ) ) }}"
        )
    };
    let (a, b) = ("\"host\"] == \"a.test\"", "\"host\"] == \"b.test\"");
    for (conditions, is_translated) in [
        ([a, b, "\"host\"] == \"c.test\""], [true, true, true]),
        ([a, a, b], [true, false, false]),
        ([a, "\"host\"] =$ \".test\"", "\"host\"] == \"x.example\""], [true, false, false]),
        (["\"url\"] =^ \"/a\"", "\"url\"] =^ \"/b\"", "\"url\"] =^ \"/a/deeper\""], [true, true, false]),
        ([a, "\"url\"] =^ \"/a\"", b], [true, false, false]),
        (["\"remoteip\"] == \"10.0.0.0/8\"", a, b], [false, false, false]),
    ] {
        let [first, second, third] = conditions;
        let chain = [block(first, 1001), block(second, 1002), block(third, 1003)].join("\nelse ");
        let import = text(&format!("server.port = 8080\n{chain}\n"));
        assert_eq!(import.status, Some(0), "{chain}: {}", import.report);
        let found = [1001, 1002, 1003].map(|port| import.text.contains(&format!("tcp://[::1]:{port}")));
        assert_eq!(found, is_translated, "{chain}: {}", import.report);
    }
}

/// As distributions write it: variables are named with their dot or without, and files by them.
#[test]
fn a_configuration_in_parts() {
    let folder = folder(&[
        (
            "lighttpd.conf",
            "var.conf_dir = \".\"\nstate_dir = \"/run\"\nvar.log_root = \"/var/log/lighttpd\"\nserver.port = 8080\n\
             include conf_dir + \"/modules.conf\"\nserver.errorlog = log_root + \"/error.log\"\n\
             server.pid-file = var.state_dir + \"/lighttpd.pid\"\n\
             $HTTP[\"host\"] == \"vnc.test\" { socket_dir = state_dir + \"/vnc\"\n include conf_dir + \"/desk.conf\" }\n",
        ),
        ("modules.conf", "server.modules = ( \"mod_access\" )\nserver.modules += ( \"mod_wstunnel\" )\n"),
        (
            "desk.conf",
            "wstunnel.server = ( \"/desk\" => ( ( \"socket\" => socket_dir + \"/desk.sock\" ) ) )\n",
        ),
    ]);
    let import = Import::of(folder.path(), &["--strict", "lighttpd.conf"]);
    assert!(import.checked().contains("unix:/run/vnc/desk.sock"), "{}", import.text);
    let outside = text("$HTTP[\"host\"] == \"a.test\" { here = 8080 }\nserver.port = here\n");
    assert!(outside.line("lighttpd.conf:2: server.port").contains("here is not set"), "{}", outside.report);
}

/// Where it is not known who shall be let in, nobody is.
#[test]
fn a_listener_is_never_guessed() {
    for lines in [
        "server.bind = var.nowhere",
        "server.bind = \"host.example\"",
        "server.port = var.nowhere",
        "ssl.engine = var.nowhere",
        "ssl.engine = \"enable\"",
    ] {
        let import = text(&format!("{lines}\n{ROUTE}"));
        assert!(!import.text.contains("[[listener]]"), "{lines}:\n{}", import.text);
        assert!(import.report.contains("the listener is left out"), "{lines}:\n{}", import.report);
    }
}

#[test]
fn strict_is_content_with_what_is_complete() {
    let folder =
        folder(&[("lighttpd.conf", &format!("server.port = 8080\nserver.errorlog = \"/x\"\n{ROUTE}"))]);
    let import = Import::of(folder.path(), &["--strict", "lighttpd.conf"]);
    assert_eq!(import.status, Some(0), "{}", import.report);
}

/// One thing that cannot be served does not keep the rest from it, and is told.
#[test]
fn what_the_gateway_refuses_is_told_and_the_rest_is_served() {
    let entry = "\"host\" => \"a\", \"port\" => 1";
    for (lines, at, said) in [
        (format!("$HTTP[\"host\"] == \"a..b\" {{\n {ROUTE}}}"), "2: $HTTP[\"host\"]", "has no valid host"),
        (
            format!("$HTTP[\"url\"] == \"/a/../b\" {{\n {ROUTE}}}"),
            "2: $HTTP[\"url\"]",
            "can match no request",
        ),
        (
            format!("websocket.server = ( \"^*\" => ( {entry} ) )"),
            "2: websocket.server \"^*\"",
            "is no regular",
        ),
        (
            format!("websocket.server = ( \"/a\" => ( {entry}, \"origins\" => ( \"^*\" ) ) )"),
            "2: websocket.server \"/a\" origins \"^*\"",
            "nobody is let in by it",
        ),
        (
            format!("websocket.server = ( \"/a\" => ( {entry}, \"subproto\" => \"a b\" ) )"),
            "2: websocket.server \"/a\" subproto",
            "\"a b\" is no subprotocol",
        ),
        (
            "wstunnel.origins = ( \"a.test:99999\" )".to_owned(),
            "2: wstunnel.origins \"a.test:99999\"",
            "no origin",
        ),
        (
            "wstunnel.origins = ( \"http://a.test:0\" )".to_owned(),
            "2: wstunnel.origins",
            "is no origin of http",
        ),
    ] {
        let import = text(&format!("{ROUTE}{lines}\n"));
        let told = import.report.lines().filter(|line| line.starts_with(&format!("lighttpd.conf:{at}")));
        assert!(told.clone().any(|line| line.contains(said)), "{lines}:\n{}", import.report);
        assert!(import.checked().contains("tcp://127.0.0.1:1"), "{lines}:\n{}", import.text);
    }
    let twice = text(&format!("server.port = 80\n$SERVER[\"socket\"] == \"127.0.0.1:80\" {{ }}\n{ROUTE}"));
    let told = "lighttpd.conf:2 $SERVER[\"socket\"] == \"127.0.0.1:80\": no equivalent: left out";
    assert!(twice.line(told).contains("cannot listen beside 0.0.0.0:80"), "{}", twice.report);
    twice.checked();
}
