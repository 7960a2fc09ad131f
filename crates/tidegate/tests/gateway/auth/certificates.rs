//! `kind = "client-cert"`, and `client_cert` of the listener.

use tidegate_testkit::{Authority, Gateway, Identity, Request, Wire};

use crate::rig::gateway;

/// A gateway that asks for certificates of this authority; `/named` is for alice alone, `/any` for whoever has one.
fn asking(authority: &Authority, client_cert: &str) -> Gateway {
    let listener = format!("client_cert = '{client_cert}'\nclient_ca = {:?}", authority.file());
    let auth =
        |names: &str| format!("auth = {{ kind = 'client-cert'{names} }}\norigins = ['http://gw.test']");
    gateway()
        .secure(authority, &authority.issue("127.0.0.1"))
        .listener(&listener)
        .route("/named", "echo:", &auth(", names = ['alice', 'bob@example.com']"))
        .route("/any", "echo:", &auth(""))
        .route("/open", "echo:", "origins = ['http://gw.test']")
        .start()
}

fn connect_as(gateway: &Gateway, authority: &Authority, identity: &Identity) -> Wire {
    gateway.connect_bare().secured_as_client(&authority.client_as(identity), "127.0.0.1")
}

#[track_caller]
fn status(mut client: Wire, path: &str) -> u16 {
    client.send(Request::upgrade(path).encode());
    client.read_head().status()
}

#[test]
fn names_of_a_certificate_open_a_route() {
    let authority = Authority::new();
    let gateway = asking(&authority, "optional");
    for (name, named) in
        [("alice", 101), ("bob@example.com", 101), ("alic", 403), ("alice2", 403), ("Alice", 403)]
    {
        let identity = authority.issue_to(name);
        assert_eq!(status(connect_as(&gateway, &authority, &identity), "/named"), named, "{name}");
        assert_eq!(status(connect_as(&gateway, &authority, &identity), "/any"), 101, "{name}");
    }
    for path in ["/named", "/any"] {
        assert_eq!(status(gateway.connect(), path), 403, "{path}: without a certificate");
    }
    assert_eq!(status(gateway.connect(), "/open"), 101);
    gateway.finish();
}

/// An authority may let its clients choose the names that are not the common one.
#[test]
fn where_the_common_name_counts_no_other_does() {
    let authority = Authority::new();
    let auth = |names_in: &str| {
        format!(
            "auth = {{ kind = 'client-cert', names = ['alice']{names_in} }}\norigins = ['http://gw.test']"
        )
    };
    let gateway = gateway()
        .secure(&authority, &authority.issue("127.0.0.1"))
        .listener(&format!("client_cert = 'optional'\nclient_ca = {:?}", authority.file()))
        .route("/any", "echo:", &auth(", names_in = 'any'"))
        .route("/common", "echo:", &auth(", names_in = 'common-name'"))
        .start();
    for (common, alternative, on_any, on_common) in [
        (&["alice"][..], "mallory", 101, 101),
        (&["mallory"], "alice", 101, 403),
        (&["mallory", "alice"], "mallory", 101, 403),
        (&["alice", "mallory"], "mallory", 101, 403),
        (&["alice", "alice"], "mallory", 101, 403),
        (&[""], "alice", 101, 403),
        (&[], "alice", 101, 403),
        (&["mallory"], "mallory", 403, 403),
    ] {
        let identity = authority.issue_to_all(common, alternative);
        for (path, expected) in [("/any", on_any), ("/common", on_common)] {
            let got = status(connect_as(&gateway, &authority, &identity), path);
            assert_eq!(got, expected, "{common:?} {alternative} {path}");
        }
    }
    assert_eq!(status(gateway.connect(), "/common"), 403, "without a certificate");
    gateway.finish();
}

/// Who has no certificate of this authority gets no HTTP at all: TLS itself refuses.
#[test]
fn t208_a_required_certificate_is_asked_for_in_tls() {
    let authority = Authority::new();
    let gateway = asking(&authority, "required");
    assert_eq!(status(connect_as(&gateway, &authority, &authority.issue_to("alice")), "/named"), 101);
    let strangers = Authority::new();
    let [stranger, own, expired] =
        [strangers.issue_to("alice"), authority.without_issuer("alice"), authority.issue_expired("alice")];
    let refused = [
        gateway.connect(),
        connect_as(&gateway, &authority, &stranger),
        connect_as(&gateway, &authority, &own),
        connect_as(&gateway, &authority, &expired),
    ];
    // Nothing is sent: what is not read could take the alert away with it.
    for mut client in refused {
        client.expect_alert();
    }
    gateway.finish();
}

/// One that cannot be verified is worse than none.
#[test]
fn t208_an_optional_certificate_of_a_stranger_is_refused_in_tls() {
    let (authority, strangers) = (Authority::new(), Authority::new());
    let gateway = asking(&authority, "optional");
    let mut client = connect_as(&gateway, &authority, &strangers.issue_to("alice"));
    client.expect_alert();
    gateway.finish();
}

#[test]
fn f45_what_cannot_verify_anybody_is_no_configuration() {
    let authority = Authority::new();
    let identity = authority.issue("127.0.0.1");
    let secure = gateway().secure(&authority, &identity).route("/", "echo:", "");
    let said = secure
        .clone()
        .listener(&format!("client_cert = 'required'\nclient_ca = {:?}", identity.key()))
        .refused();
    assert!(said.contains("client_ca") && said.contains("has no CERTIFICATE"), "{said}");
    let said = gateway().listener("client_cert = 'required'").route("/", "echo:", "").refused();
    assert!(said.contains("client_cert stands without tls"), "{said}");
    let said = secure.listener(&format!("client_ca = {:?}", authority.file())).refused();
    assert!(said.contains("client_ca stands without client_cert"), "{said}");
}

/// Anybody can have a certificate of a public authority.
#[test]
fn any_certificate_of_any_authority_is_refused_at_the_start() {
    let authority = Authority::new();
    let guarded = |names: &str| {
        let auth = format!("auth = {{ kind = 'client-cert'{names} }}\norigins = ['http://gw.test']");
        gateway().secure(&authority, &authority.issue("127.0.0.1")).route("/any", "echo:", &auth)
    };
    let said = guarded("").listener("client_cert = 'optional'").refused();
    assert!(said.contains("takes those of every public authority; set client_ca"), "{said}");
    let useless = guarded("").start();
    useless.diagnosis("no listener asks for any: all get 403");
    assert_eq!(status(useless.connect(), "/any"), 403);
}
