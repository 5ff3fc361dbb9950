//! How the request has ended, as its response says.

use super::envoy::property;
use crate::metrics::CodeClass;
use crate::rollout::failure::{GrpcStatus, is_cut_off, is_failure, is_of_the_version};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

/// How the request has ended, as its response says.
#[derive(Clone, Copy)]
pub(super) struct Outcome {
    status: u16,
    grpc: Option<GrpcStatus>,
}

impl Outcome {
    /// From the headers. They contain gRPC's status only if nothing follows them.
    pub(super) fn of_headers(is_all: bool) -> Outcome {
        let status = response_header(":status").as_deref().and_then(status).unwrap_or(0);
        let grpc = if is_all && status == 200 { response_header("grpc-status") } else { None };
        let grpc = grpc.filter(|_| response_header("content-type").is_some_and(|kind| is_grpc(&kind)));
        Outcome { status, grpc: grpc.map(|status| GrpcStatus::parse(&status)) }
    }

    /// Adds the trailers. The content type can no longer be read then; only gRPC has such a trailer.
    pub(super) fn add_trailers(&mut self) {
        let status = hostcalls::get_map_value_bytes(MapType::HttpResponseTrailers, "grpc-status").ok().flatten();
        self.grpc = status.map(|status| GrpcStatus::parse(&status));
    }

    /// Whether its end may tell more: after the status 200 gRPC sends its own.
    pub(super) fn may_be_grpc(self) -> bool {
        self.status == 200 && self.grpc.is_none()
    }

    /// The HTTP status: the one that gRPC's status maps to, if it has one.
    pub(super) fn status(self) -> u16 {
        match self.grpc {
            Some(grpc) if self.status == 200 => grpc.http(),
            _ => self.status,
        }
    }

    /// Whether it shows no failure of the version so far.
    pub(super) fn looks_good(self) -> bool {
        !is_failure(self.status, self.grpc)
    }

    pub(super) fn class(self) -> CodeClass {
        CodeClass::of(self.status())
    }

    /// Whether the version behind the route has failed.
    pub(super) fn is_failure(self) -> bool {
        is_failure(self.status, self.grpc) && {
            let details = property(vec!["response", "code_details"]).unwrap_or_default();
            is_of_the_version(flags(), &details)
        }
    }
}

/// Whether the version cut off a response that had begun.
pub(super) fn was_cut_off() -> bool {
    is_cut_off(flags())
}

pub(super) fn response_header(name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name).ok().flatten()
}

/// Envoy's response flags, which arrive as the bytes of an integer.
fn flags() -> u64 {
    let flags = property(vec!["response", "flags"]);
    flags.and_then(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?))).unwrap_or(0)
}

fn is_grpc(kind: &[u8]) -> bool {
    kind.get(..16).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/grpc"))
}

/// The status of a response: three digits.
fn status(digits: &[u8]) -> Option<u16> {
    let [b'1'..=b'9', _, _] = digits else { return None };
    digits.iter().try_fold(0, |status, digit| digit.is_ascii_digit().then(|| status * 10 + u16::from(digit - b'0')))
}
