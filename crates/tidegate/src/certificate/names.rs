//! Whose a certificate is.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The names of a certificate that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NamesIn {
    /// `any`: its common names and its alternative ones.
    #[default]
    Any,
    /// `common-name`: the common name of its subject, if it has just one.
    CommonName,
}

/// The names in a certificate.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The common names of its subject; `None` for one that is no text.
    common: Vec<Option<String>>,
    /// Its alternative names that are host names, mail addresses or URIs.
    alternative: Vec<String>,
}

impl Names {
    /// None of a certificate that cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Self::default() };
        let common = certificate.subject().iter_common_name().map(|name| name.as_str().ok());
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let alternative = alternative.into_iter().flat_map(|extension| &extension.value.general_names);
        let alternative = alternative.filter_map(|name| {
            if let GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) = name
            {
                Some((*name).to_owned())
            } else {
                None
            }
        });
        Self {
            common: common.map(|name| name.map(str::to_owned)).collect(),
            alternative: alternative.collect(),
        }
    }

    /// Whether this is one of those that count.
    ///
    /// Of several common names none is *the* common name: which one others take is not agreed upon, so that a certificate
    /// could be one person's here and another's there.
    pub(crate) fn contain(&self, name: &str, names_in: NamesIn) -> bool {
        let is_common = |own: &Option<String>| own.as_deref() == Some(name);
        match names_in {
            NamesIn::CommonName => matches!(&self.common[..], [only] if is_common(only)),
            NamesIn::Any => {
                self.common.iter().any(is_common) || self.alternative.iter().any(|own| own == name)
            }
        }
    }
}

/// The first common name of its subject.
pub(crate) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}
