//! What an API server refuses, or why it cannot be reached, in one line.

use kube::Error;
use std::error;

/// Why a request failed.
pub fn said(error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 401 => {
            format!("the API server does not know this user: {}", status.message)
        }
        Error::Api(status) => status.message.clone(),
        Error::Auth(error) => format!("credentials: {error}"),
        other => format!("the API server cannot be reached: {}", innermost(other)),
    }
}

/// Whether the right is missing.
pub fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 403)
}

/// Whether what was asked for does not exist.
pub fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

/// What an error says at its root.
pub fn innermost(error: &dyn error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
