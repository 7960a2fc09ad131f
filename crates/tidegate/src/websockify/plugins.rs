//! The plugins that websockify brings along, and what takes their place. Plugins of one's own are Python; they have to
//! become a service that is asked over HTTP.

use super::args::Args;
use super::mapping::Unserved;
use super::options::Lookup as Asked;
use crate::config::{
    Auth, AuthKind, CertificateAuth, Lookup, LookupKey, LookupSource, NamesIn, OriginPattern, OriginPolicy,
    Secret, User,
};

/// `--token-plugin`: the class there, and the kind of look-up here.
const TOKEN_PLUGINS: [(&str, &str); 8] = [
    ("TokenFile", "file"),
    ("ReadOnlyTokenFile", "read-only-file"),
    ("TokenFileName", "directory"),
    ("BaseTokenAPI", "http"),
    ("JSONTokenApi", "json"),
    ("JWTTokenApi", "jwt"),
    ("TokenRedis", "redis"),
    ("UnixDomainSocketDirectory", "unix-directory"),
];

/// What `--auth-plugin` comes to: who may connect, and from where.
#[derive(Debug)]
pub(super) struct Admission {
    pub(super) auth: Option<Auth>,
    pub(super) origins: OriginPolicy,
    pub(super) allow_missing_origin: bool,
}

/// The kind of look-up that a token plugin is.
///
/// # Errors
/// There is none.
pub(super) fn kind(asked: &Asked) -> Result<&'static str, Unserved> {
    let plugin = TOKEN_PLUGINS.into_iter().find(|(class, _)| *class == asked.plugin);
    let (_, kind) = plugin.ok_or_else(|| Unserved::Unsupported {
        option: format!("--token-plugin {}", asked.plugin),
        instead: "it is Python; let it answer over HTTP with host:port, and give --token-plugin BaseTokenAPI \
                  --token-source http://127.0.0.1:PORT/%s",
    })?;
    Ok(kind)
}

/// `--token-plugin` with what belongs to it.
///
/// # Errors
/// It cannot be used.
pub(super) fn lookup(asked: &Asked, args: &Args) -> Result<Lookup, Unserved> {
    let kind = kind(asked)?;
    let source = asked.source.as_deref().unwrap_or_default();
    let source = LookupSource::read(kind, source, &std::env::current_dir()?)
        .map_err(|problem| Unserved::Wrong { option: "--token-source", problem })?;
    let lookup = Lookup::new(source);
    let key = if args.host_token { LookupKey::Host } else { lookup.key };
    Ok(Lookup { key, tls: args.ssl_target, ..lookup })
}

/// `--auth-plugin`; without it, everybody from everywhere.
///
/// # Errors
/// It cannot be used.
pub(super) fn admission(args: &Args) -> Result<Admission, Unserved> {
    let everybody = Admission { auth: None, origins: OriginPolicy::Any, allow_missing_origin: true };
    let Some(class) = args.auth_class() else { return Ok(everybody) };
    let source = args.auth_source.as_deref();
    let wrong = |problem: &str| Unserved::Wrong { option: "--auth-source", problem: problem.to_owned() };
    let names = || source.unwrap_or_default().split_whitespace();
    match class {
        "BasicHTTPAuth" => {
            let pair = source.and_then(|source| source.split_once(':'));
            let (name, password) = pair.ok_or_else(|| wrong("it has no colon: write USER:PASSWORD"))?;
            let user = User { name: name.to_owned(), secret: Secret::Plain(password.to_owned()) };
            let auth = Auth { realm: REALM.to_owned(), ..Auth::new(AuthKind::Basic(vec![user])) };
            Ok(Admission { auth: Some(auth), ..everybody })
        }
        "ClientCertCNAuth" => {
            let names: Vec<_> = names().map(str::to_owned).collect();
            if names.is_empty() {
                return Err(wrong("it has no name that may connect")); // here an empty list would be everybody
            }
            let who = CertificateAuth { names, names_in: NamesIn::CommonName };
            Ok(Admission { auth: Some(Auth::new(AuthKind::ClientCert(who))), ..everybody })
        }
        "ExpectOrigin" if args.web_auth => Err(Unserved::Unsupported {
            option: "--web-auth with ExpectOrigin".to_owned(),
            instead: "a browser asks for a page without an Origin, so nobody could read one; leave --web-auth out",
        }),
        "ExpectOrigin" => {
            let origins = names().map(OriginPattern::read).collect::<Result<Vec<_>, _>>();
            let origins = OriginPolicy::List(origins.map_err(|problem| wrong(&problem))?);
            Ok(Admission { auth: None, origins, allow_missing_origin: false })
        }
        _ => Err(Unserved::Unsupported {
            option: format!("--auth-plugin {class}"),
            instead: "it is Python; let it decide over HTTP, and write auth = { kind = \"forward\", … } into a \
                      tidegate.toml (tidegate import websockify -- ARGS prints the rest)",
        }),
    }
}

/// What a browser shows when it asks for the password.
pub(super) const REALM: &str = "Websockify";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_plugin_is_a_look_up() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let key = format!("{folder}/key");
        std::fs::write(&key, "c2VjcmV0").unwrap();
        for (plugin, source, shown) in [
            ("TokenFile", key.as_str(), "file"),
            ("TokenFile", folder, "file"),
            ("ReadOnlyTokenFile", &key, "read-only-file"),
            ("TokenFileName", folder, "directory"),
            ("BaseTokenAPI", "http://127.0.0.1:1/%s", "http"),
            ("JSONTokenApi", "https://127.0.0.1/t?x=%s", "json"),
            ("JWTTokenApi", &key, "jwt"),
            ("TokenRedis", "localhost:6379:1:secret:vnc", "redis"),
            ("UnixDomainSocketDirectory", folder, "unix-directory"),
        ] {
            let args = Args::read(["--token-plugin", plugin, "--token-source", source, "1"]).unwrap();
            let asked = Asked { plugin: plugin.to_owned(), source: Some(source.to_owned()) };
            let lookup = lookup(&asked, &args).unwrap_or_else(|error| panic!("{plugin}: {error}"));
            assert!(lookup.to_string().contains(&format!(" {shown} ")), "{plugin}: {lookup}");
            assert!(!lookup.to_string().contains("secret"), "{lookup}");
        }
    }
}
