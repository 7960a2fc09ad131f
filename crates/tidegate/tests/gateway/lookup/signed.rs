//! `kind = "jwt"`: the token itself says where.

use serde_json::json;
use tidegate_testkit::{Backend, Gateway};

use super::{ask, leads_to, refused, route};
use crate::rig::gateway;
use crate::signing::{in_seconds, secret_file, signed, token};

fn reading(folder: &tempfile::TempDir) -> Gateway {
    gateway().tables(&route(&format!("kind = 'jwt', source = {:?}", secret_file(folder)))).start()
}

#[test]
fn a_signed_token_says_where() {
    let (backend, folder) = (Backend::bind(), tempfile::tempdir().unwrap());
    let gateway = reading(&folder);
    let (host, port) = (backend.address().ip().to_string(), backend.address().port());
    for claims in [
        json!({ "host": host, "port": port }),
        json!({ "host": host, "port": port.to_string(), "exp": in_seconds(60), "nbf": in_seconds(-60), "aud": "x" }),
    ] {
        leads_to(&gateway, &format!("token={}", token(&claims)), &backend);
    }
    gateway.finish();
}

/// No signature, no target: and the answer is that of any wrong token.
#[test]
fn t231_a_token_that_is_not_believed_leads_nowhere() {
    let (backend, folder) = (Backend::bind(), tempfile::tempdir().unwrap());
    let gateway = reading(&folder);
    let claims = json!({ "host": "127.0.0.1", "port": backend.address().port() });
    let mut late = claims.clone();
    late["exp"] = in_seconds(-120).into();
    let good = token(&claims);
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    for wrong in [
        signed(&json!({ "alg": "HS256" }), &claims, b"another secret"),
        signed(&json!({ "alg": "none" }), &claims, b""),
        unsigned,
        token(&late),
        "a.b.c.d.e".to_owned(),
        "one".to_owned(),
    ] {
        let (_, body) = refused(ask(&gateway, &format!("token={wrong}")), 403);
        assert_eq!(body, "403 Forbidden: nothing is served for the token of this request\n");
    }
    for nowhere in [json!({}), json!({ "host": "a", "port": 0 }), json!({ "host": "a/b", "port": 1 })] {
        refused(ask(&gateway, &format!("token={}", token(&nowhere))), 502);
    }
    backend.assert_untouched();
    gateway.finish();
}
