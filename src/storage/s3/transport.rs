//! Why a request got no reply, in words of a person: names that do not resolve, certificates,
//! proxies, connections. By the type of an error, never by its words, with one exception that says
//! why.

use std::error::Error;
use std::io;

use aws_smithy_runtime_api::client::result::ConnectorError;
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::credentials::{CannotRenew, NoCredentials};
use super::proxy::{ForeignProxy, NoWayToProxy};
use super::resolve::Unresolved;
use crate::storage::error::Kind;

/// What a chain of errors comes to.
pub(super) struct Cause {
    pub(super) kind: Kind,
    pub(super) message: String,
}

/// The first error of a chain that says something, from the outside in; `otherwise` where none does.
pub(super) fn cause(error: &(dyn Error + 'static), otherwise: Kind) -> Cause {
    let mut cause = first_known(error, otherwise);
    // Of the two who may be meant, it is the one that nobody would think of.
    if let Some(way) = chain(error).find(|error| error.is::<NoWayToProxy>()) {
        cause.message = format!("{way}: {}", cause.message);
    }
    cause
}

fn first_known(error: &(dyn Error + 'static), otherwise: Kind) -> Cause {
    let mut kind = otherwise;
    for error in chain(error) {
        if let Some(cause) = known(error) {
            return cause;
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && is_unreachable(error)
        {
            kind = Kind::Unreachable;
        }
    }
    Cause { kind, message: innermost(error) }
}

/// The root of a chain of errors: the SDK's outer ones say only "dispatch failure".
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and its causes. An `io::Error` hides what it was made of from `source()`, which passes
/// on the source of what it holds.
pub(super) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|held| held as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// Whether it was a connection that failed, and not the one at its other end.
pub(super) fn is_of_the_network(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| error.is::<ConnectorError>() || error.is::<Unresolved>())
}

fn known(error: &(dyn Error + 'static)) -> Option<Cause> {
    if let Some(error) = error.downcast_ref::<CannotRenew>() {
        return Some(Cause { kind: Kind::SignedOut, message: error.to_string() });
    }
    if let Some(error) = error.downcast_ref::<NoCredentials>() {
        let message = format!("no usable credentials: {error}");
        return Some(Cause { kind: Kind::BadCredentials, message });
    }
    if let Some(error) = error.downcast_ref::<Unresolved>() {
        return Some(Cause { kind: Kind::UnknownHost, message: error.to_string() });
    }
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return Some(tls(error));
    }
    if let Some(error) = error.downcast_ref::<ForeignProxy>() {
        return Some(Cause { kind: Kind::ProxyDenied, message: error.to_string() });
    }
    is_proxy_without_password(error).then(|| Cause {
        kind: Kind::ProxyDenied,
        message: "the proxy requires authentication (407)".to_owned(),
    })
}

fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::NotFound
    )
}

/// The one error whose type nobody can name: hyper-util keeps that of its tunnels to itself. So it
/// is known by all of its words; were they changed, it would be tried again some times in vain.
fn is_proxy_without_password(error: &(dyn Error + 'static)) -> bool {
    error.to_string() == "tunnel error: proxy authorization required"
}

fn tls(error: &TlsError) -> Cause {
    let (kind, message) = match error {
        TlsError::InvalidCertificate(error) => (Kind::Tls, certificate(error)),
        TlsError::InvalidMessage(_) => (
            Kind::Tls,
            "the server does not speak TLS; an endpoint without it starts with http://".to_owned(),
        ),
        TlsError::PeerIncompatible(_) => (Kind::Tls, error.to_string()),
        TlsError::AlertReceived(alert) if is_refusal(*alert) => (Kind::Tls, error.to_string()),
        // A record that arrived broken, a server that is out of order: the next connection may do.
        _ => (Kind::Transient, error.to_string()),
    };
    Cause { kind, message }
}

fn is_refusal(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::UnrecognisedName
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied
    )
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, Revoked, UnknownIssuer,
    };
    match error {
        Expired | ExpiredContext { .. } => "the server's certificate has expired".to_owned(),
        NotValidYet | NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; is the clock here right?".to_owned()
        }
        UnknownIssuer => {
            "the server's certificate is signed by itself, or by someone who is not trusted here"
                .to_owned()
        }
        NotValidForName => "the server's certificate is for another host".to_owned(),
        NotValidForNameContext { presented, .. } => format!(
            "the server's certificate is for another host: {}",
            presented.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ")
        ),
        Revoked => "the server's certificate was revoked".to_owned(),
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_inside_of_io_errors() {
        let tls = TlsError::InvalidCertificate(CertificateError::Expired);
        let nested = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        let cause = cause(&nested, Kind::Transient);
        assert_eq!(cause.kind, Kind::Tls);
        assert_eq!(cause.message, "the server's certificate has expired");
    }

    #[test]
    fn a_record_that_arrived_broken_is_no_verdict_on_the_server() {
        let broken = io::Error::new(io::ErrorKind::InvalidData, TlsError::DecryptError);
        assert_eq!(cause(&broken, Kind::Transient).kind, Kind::Transient);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(cause(&refused, Kind::Transient).kind, Kind::Unreachable);
    }
}
