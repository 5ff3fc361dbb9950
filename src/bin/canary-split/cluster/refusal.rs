//! Why an API server refuses a request or cannot be reached, in one line.

use crate::input::reason::reason;
use kube::Error;
use kube::client::AuthError;
use kube::config::KubeconfigError;
use std::error;

/// How a message begins if there was no answer.
pub const UNREACHED: &str = "the API server cannot be reached";

/// Why a request failed.
pub fn said(error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 401 => {
            format!("the API server does not know this user: {}", status.message)
        }
        Error::Api(status) => status.message.clone(),
        Error::Auth(error) => credentials(error),
        other => format!("{UNREACHED}: {}", innermost(other)),
    }
}

/// What is wrong with credentials, without showing any: a plugin prints tokens.
fn credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(error) => format!("the kubeconfig's exec plugin cannot be started: {}", reason(error)),
        AuthError::AuthExecRun { out, .. } => format!("the kubeconfig's exec plugin has failed: {}", out.status),
        AuthError::AuthExecParse(_) => "the output of the kubeconfig's exec plugin is not an ExecCredential".to_owned(),
        AuthError::ReadTokenFile(error, file) => format!("{}: {}", file.display(), reason(error)),
        AuthError::MalformedTokenExpirationDate(_) => "the time at which the token expires cannot be read".to_owned(),
        _ => "the kubeconfig's credentials cannot be used".to_owned(),
    }
}

/// What is wrong with a kubeconfig, without showing its content.
pub fn kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("not a kubeconfig: line {}, column {}", at.line(), at.column()),
            None => "not a kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, file) => format!("{}: {}", file.display(), reason(error)),
        KubeconfigError::LoadCertificateAuthority(_) => "its certificate-authority cannot be read".to_owned(),
        KubeconfigError::LoadClientCertificate(_) => "its client-certificate cannot be read".to_owned(),
        KubeconfigError::LoadClientKey(_) => "its client-key cannot be read".to_owned(),
        KubeconfigError::ParseCertificates(_) => "its certificate-authority is not a certificate".to_owned(),
        KubeconfigError::LoadClusterOfContext(cluster) => format!("it has no cluster {cluster:?}"),
        KubeconfigError::LoadContext(context) => format!("it has no context {context:?}"),
        KubeconfigError::MissingClusterUrl => "its cluster has no server".to_owned(),
        _ => "it cannot be used".to_owned(),
    }
}

/// Whether the right is missing.
pub fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 403)
}

/// Whether the object does not exist.
pub fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

/// The message of an error's root cause.
pub fn innermost(error: &dyn error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    reason(root)
}
