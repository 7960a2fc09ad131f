//! `kind = "jwt"`.

use serde_json::{Value, json};
use tidegate_testkit::{Frame, Request};

use super::House;
use crate::signing::{SECRET, in_seconds, secret_file, signed, token};

fn house(folder: &tempfile::TempDir, more: &str) -> House {
    House::guarded(&format!("kind = 'jwt', key = {:?}{more}", secret_file(folder)))
}

fn bearer(token: &str) -> impl Fn(Request) -> Request {
    move |request| request.set("Authorization", format!("Bearer {token}"))
}

#[test]
fn a_bearer_token_opens_a_route_and_a_wrong_one_is_401_with_a_challenge() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder, "");
    house.lets_in(bearer(&token(&json!({}))));
    house.lets_in(bearer(&token(
        &json!({ "exp": in_seconds(600), "nbf": in_seconds(-600), "iss": "others" }),
    )));
    for (head, _) in house.keeps_out(401, |request| request) {
        assert_eq!(head.field("WWW-Authenticate"), Some("Bearer realm=\"tidegate\""));
    }
    let good = token(&json!({}));
    let none = format!("{}.", good.rsplit_once('.').unwrap().0);
    for wrong in [
        signed(&json!({ "alg": "HS256" }), &json!({}), b"another secret"),
        signed(&json!({ "alg": "none" }), &json!({}), SECRET),
        signed(&json!({ "alg": "RS256" }), &json!({}), SECRET),
        signed(&json!({ "alg": "HS256", "crit": ["exp-x"], "exp-x": 1 }), &json!({}), SECRET),
        signed(&json!({ "alg": "HS256", "crit": [] }), &json!({}), SECRET),
        none,
        good[..good.len() - 1].to_owned(),
        "a.b.c".to_owned(),
        "a.b.c.d.e".to_owned(),
        "x".to_owned(),
    ] {
        for (head, body) in house.keeps_out(401, bearer(&wrong)) {
            let challenge = head.field("WWW-Authenticate");
            assert_eq!(challenge, Some("Bearer realm=\"tidegate\", error=\"invalid_token\""), "{wrong}");
            assert!(!body.contains(&wrong));
        }
    }
    house.finish();
}

/// What a ticket opened may last, or not: the route decides.
#[test]
fn a_session_ends_with_its_token_where_the_route_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (keeping, closing) = (house(&folder, ""), house(&folder, ", on_expiry = 'close'"));
    let exp = in_seconds(3);
    let mut sessions = [(&keeping, exp), (&closing, exp), (&closing, in_seconds(600))].map(|(house, exp)| {
        let mut client = house.gateway.connect();
        client.send(bearer(&token(&json!({ "exp": exp })))(Request::upgrade("/ws")).encode());
        let backend = house.backend.accept();
        assert_eq!(client.read_head().status(), 101);
        (client, backend)
    });
    let (client, backend) = &mut sessions[1];
    let close = client.read_frame();
    assert_eq!((close.close_code(), &close.payload[2..]), (Some(1008), &b"token expired"[..]));
    assert!(in_seconds(0) >= exp, "not before its time");
    client.send_frame(&close.masked());
    client.expect_fin();
    backend.expect_fin();
    let line = closing.gateway.access_line_of(client.local_address());
    assert_eq!((&line["end"], &line["closed_by"]), (&"token_expired".into(), &"gateway".into()), "{line}");
    for at in [0, 2] {
        let (client, backend) = &mut sessions[at];
        client.send_frame(&Frame::binary("still there?").masked());
        assert_eq!(backend.read_exact(12), b"still there?");
    }
    drop(sessions);
    keeping.finish();
    closing.finish();
}

/// Clocks differ: a minute is forgiven, more is not.
#[test]
fn f50_expiry_and_beginning_with_a_minute_of_grace() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder, "");
    for (claims, is_in) in [
        (json!({ "exp": in_seconds(-30) }), true),
        (json!({ "exp": in_seconds(-90) }), false),
        (json!({ "nbf": in_seconds(30) }), true),
        (json!({ "nbf": in_seconds(120) }), false),
        (json!({ "exp": "soon" }), false),
    ] {
        if is_in {
            house.lets_in(bearer(&token(&claims)));
        } else {
            house.keeps_out(401, bearer(&token(&claims)));
        }
    }
    house.finish();
}

#[test]
fn issuer_and_audience_have_to_be_there_and_right() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder, ", issuer = 'https://id.test', audience = 'vnc'");
    let claims = |iss: Value, aud: Value| token(&json!({ "iss": iss, "aud": aud }));
    let id = || json!("https://id.test");
    house.lets_in(bearer(&claims(id(), json!("vnc"))));
    house.lets_in(bearer(&claims(id(), json!(["x", "vnc"]))));
    for wrong in [
        claims(id(), json!("x")),
        claims(json!("https://evil.test"), json!("vnc")),
        claims(id(), json!(null)),
        token(&json!({ "aud": "vnc" })),
        token(&json!({ "iss": "https://id.test" })),
        token(&json!({})),
    ] {
        house.keeps_out(401, bearer(&wrong));
    }
    house.finish();
}

/// RFC 7519 §4.1.3: a token for others is not for us, and without an `audience` all are others.
#[test]
fn a_token_for_somebody_needs_a_route_that_says_for_whom() {
    let folder = tempfile::tempdir().unwrap();
    let house = house(&folder, "");
    for audience in [json!("others"), json!(["others"]), json!([]), json!(""), json!(null)] {
        house.keeps_out(401, bearer(&token(&json!({ "aud": audience }))));
    }
    house.gateway.access_line(|line| line.to_string().contains("set audience"));
    house.lets_in(bearer(&token(&json!({}))));
    house.finish();
}

/// What was checked has to be what a backend finds, whichever of two it takes.
#[test]
fn a_second_token_counts_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let good = token(&json!({}));
    let in_query = house(&folder, ", from = 'query:jwt'");
    let with_query = |query: String| {
        move |request: Request| {
            let text = String::from_utf8(request.encode()).unwrap();
            let target = text.split(' ').nth(1).unwrap().to_owned();
            request.line(&format!("GET {target}?{query} HTTP/1.1"))
        }
    };
    in_query.lets_in(with_query(format!("jwt2=evil&jwt={good}&xjwt=evil")));
    for query in
        [format!("jwt={good}&jwt=evil"), format!("jwt={good}&x=y&j%77t"), format!("jwt={good}&jwt={good}")]
    {
        in_query.keeps_out(401, with_query(query));
    }
    in_query.finish();

    let in_cookie = house(&folder, ", from = 'cookie:session'");
    let with_cookies = |lines: Vec<Vec<u8>>| {
        move |request: Request| lines.iter().fold(request, |request, line| request.with("Cookie", line))
    };
    let session = || format!("session={good}").into_bytes();
    in_cookie.lets_in(with_cookies(vec![session(), b"x=\xff".to_vec()]));
    in_cookie.lets_in(with_cookies(vec![["name=Jürgen; ".as_bytes(), &session()].concat()]));
    in_cookie.keeps_out(401, with_cookies(vec![session(), b"session=evil; x=\xff".to_vec()]));
    in_cookie.keeps_out(401, with_cookies(vec![session(), b"session=\xff".to_vec()]));
    in_cookie.keeps_out(401, with_cookies(vec![b"session=\xff".to_vec()]));
    in_cookie.finish();
}

#[test]
fn a_token_in_the_query_or_in_a_cookie() {
    let folder = tempfile::tempdir().unwrap();
    let good = token(&json!({}));
    let in_cookie = house(&folder, ", from = 'cookie:session'");
    in_cookie.lets_in(|request| request.set("Cookie", format!("a=b; session={good}; c=d")));
    in_cookie.keeps_out(401, |request| request.set("Cookie", format!("session={good}; session={good}")));
    in_cookie.keeps_out(401, |request| request.set("Cookie", format!("xsession={good}")));
    in_cookie.keeps_out(401, bearer(&good));
    in_cookie.finish();
    let in_query = house(&folder, ", from = 'query:jwt'");
    in_query.lets_in(|request| {
        // The target stands in the first line, between two blanks.
        let text = String::from_utf8(request.encode()).unwrap();
        let target = text.split(' ').nth(1).unwrap().to_owned();
        request.line(&format!("GET {target}?x=y&jwt={good} HTTP/1.1"))
    });
    in_query.keeps_out(401, bearer(&good));
    for line in in_query.gateway.access_lines() {
        assert!(!line.to_string().contains(&good), "{line}");
    }
    in_query.finish();
}

#[test]
fn a_key_that_cannot_verify_is_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    for (text, problem) in [
        (key.serialize_pem(), "holds a private key"),
        ("not base64!".to_owned(), "is neither PEM nor base64url"),
        ("\n".to_owned(), "is empty"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), "holds no public key"),
    ] {
        let path = folder.path().join("key");
        std::fs::write(&path, text).unwrap();
        let auth = format!("auth = {{ kind = 'jwt', key = {path:?} }}");
        let said = crate::rig::gateway().route("/", "echo:", &auth).refused();
        assert!(said.contains(problem), "{said}");
    }
}

/// A public key verifies what its private key has signed, and is never taken for a shared secret.
#[test]
fn a_public_key_in_pem() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let path = folder.path().join("public.pem");
    std::fs::write(&path, key.public_key_pem()).unwrap();
    let house = House::guarded(&format!("kind = 'jwt', key = {path:?}"));
    let claims = json!({ "sub": "alice" });
    let signing = jsonwebtoken::EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    house.lets_in(bearer(&jsonwebtoken::encode(&header, &claims, &signing).unwrap()));
    let confused = signed(&json!({ "alg": "HS256" }), &claims, key.public_key_pem().as_bytes());
    house.keeps_out(401, bearer(&confused));
    house.keeps_out(401, bearer(&token(&claims)));
    house.finish();
}
