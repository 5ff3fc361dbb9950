//! Which answers are a version's failures?

/// Envoy's response flags: a bit each, in the order of `CoreResponseFlag` in `envoy/stream_info/stream_info.h`.
mod flag {
    pub const UPSTREAM_REQUEST_TIMEOUT: u64 = 0x4;
    pub const LOCAL_RESET: u64 = 0x8;
    pub const UPSTREAM_REMOTE_RESET: u64 = 0x10;
    pub const UPSTREAM_CONNECTION_FAILURE: u64 = 0x20;
    pub const UPSTREAM_CONNECTION_TERMINATION: u64 = 0x40;
    pub const NO_ROUTE_FOUND: u64 = 0x100;
    pub const FAULT_INJECTED: u64 = 0x400;
    pub const RATE_LIMITED: u64 = 0x800;
    pub const UNAUTHORIZED: u64 = 0x1000;
    pub const RATE_LIMIT_SERVICE_ERROR: u64 = 0x2000;
    pub const DOWNSTREAM_CONNECTION_TERMINATION: u64 = 0x4000;
    pub const STREAM_IDLE_TIMEOUT: u64 = 0x1_0000;
    pub const INVALID_ENVOY_REQUEST_HEADERS: u64 = 0x2_0000;
    pub const DOWNSTREAM_PROTOCOL_ERROR: u64 = 0x4_0000;
    pub const UPSTREAM_MAX_STREAM_DURATION_REACHED: u64 = 0x8_0000;
    pub const NO_FILTER_CONFIG_FOUND: u64 = 0x20_0000;
    pub const DURATION_TIMEOUT: u64 = 0x40_0000;
    pub const UPSTREAM_PROTOCOL_ERROR: u64 = 0x80_0000;
    pub const OVERLOAD_MANAGER: u64 = 0x200_0000;
    pub const DOWNSTREAM_REMOTE_RESET: u64 = 0x1000_0000;
}

/// The fault of the gateway itself or the client, not of a version.
const NOBODYS: u64 = flag::NO_ROUTE_FOUND
    | flag::FAULT_INJECTED
    | flag::RATE_LIMITED
    | flag::UNAUTHORIZED
    | flag::RATE_LIMIT_SERVICE_ERROR
    | flag::INVALID_ENVOY_REQUEST_HEADERS
    | flag::DOWNSTREAM_PROTOCOL_ERROR
    | flag::NO_FILTER_CONFIG_FOUND
    | flag::OVERLOAD_MANAGER
    | CLIENT_GONE;

const CLIENT_GONE: u64 = flag::DOWNSTREAM_CONNECTION_TERMINATION | flag::DOWNSTREAM_REMOTE_RESET;

/// Why an answer that had begun did not end.
const CUT_OFF: u64 = flag::UPSTREAM_REQUEST_TIMEOUT
    | flag::LOCAL_RESET
    | flag::UPSTREAM_REMOTE_RESET
    | flag::UPSTREAM_CONNECTION_FAILURE
    | flag::UPSTREAM_CONNECTION_TERMINATION
    | flag::STREAM_IDLE_TIMEOUT
    | flag::UPSTREAM_MAX_STREAM_DURATION_REACHED
    | flag::DURATION_TIMEOUT
    | flag::UPSTREAM_PROTOCOL_ERROR;

/// A final gRPC status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus(u16);

impl GrpcStatus {
    /// The status of a `grpc-status` header or trailer; an unknown one counts as UNKNOWN, as in gRPC's own clients.
    pub fn parse(value: &[u8]) -> GrpcStatus {
        const UNKNOWN: u16 = 2;
        let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        GrpcStatus(number.filter(|&number| number <= 16).unwrap_or(UNKNOWN))
    }

    /// The HTTP status that google.rpc.Code maps it to.
    pub fn http(self) -> u16 {
        match self.0 {
            0 => 200,
            1 => 499,
            3 | 9 | 11 => 400,
            4 => 504,
            5 => 404,
            6 | 10 => 409,
            7 => 403,
            8 => 429,
            12 => 501,
            14 => 503,
            16 => 401,
            _ => 500,
        }
    }

    /// UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE and DATA_LOSS are a server's failures.
    pub fn is_failure(self) -> bool {
        matches!(self.0, 2 | 4 | 8 | 13 | 14 | 15)
    }
}

/// Whether a final status is a failure, whoever caused it.
pub fn is_failure(status: u16, grpc: Option<GrpcStatus>) -> bool {
    match grpc {
        Some(grpc) if status == 200 => grpc.is_failure(),
        _ => !(100..500).contains(&status),
    }
}

/// Whether a failure is the fault of the version behind the route: not of the gateway, an injected fault, a limit or the
/// client. `flags` and `details` are Envoy's `response.flags` and `response.code_details`.
pub fn is_of_the_version(flags: u64, details: &[u8]) -> bool {
    flags & NOBODYS == 0 && details != b"direct_response"
}

/// Whether the version cut off an answer that had begun: reset, or too slow.
pub fn is_cut_off(flags: u64) -> bool {
    flags & CUT_OFF != 0 && flags & CLIENT_GONE == 0
}

#[cfg(test)]
mod tests {
    use super::{GrpcStatus, is_cut_off, is_failure, is_of_the_version};

    #[test]
    fn a_final_server_error_and_six_grpc_statuses_are_failures() {
        let failing: Vec<u16> = (0..=17).filter(|code| is_failure(200, Some(grpc(&code.to_string())))).collect();
        assert_eq!(failing, [2, 4, 8, 13, 14, 15, 17]);
        assert!(
            is_failure(200, Some(grpc(""))) && is_failure(200, Some(grpc("-1"))) && is_failure(200, Some(grpc("x")))
        );
        // Any other HTTP status speaks for itself.
        assert!(is_failure(503, Some(grpc("0"))) && !is_failure(404, Some(grpc("14"))));
        let failing: Vec<u16> = [0, 101, 200, 304, 404, 429, 499, 500, 503, 599, 600]
            .into_iter()
            .filter(|&s| is_failure(s, None))
            .collect();
        assert_eq!(failing, [0, 500, 503, 599, 600]);
    }

    #[test]
    fn a_grpc_status_is_the_http_status_that_google_rpc_code_says() {
        let statuses: Vec<u16> = (0..=17).map(|code| grpc(&code.to_string()).http()).collect();
        assert_eq!(
            statuses,
            [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401, 500]
        );
    }

    #[test]
    fn the_gateways_own_answers_and_gone_clients_are_no_version_s_failures() {
        // No healthy upstream, connection failure, overflow, no cluster: always the version's fault.
        for flags in [0, 0x2, 0x20, 0x40, 0x80, 0x4, 0x8000, 0x100_0000, 0x200 /* a delay that was injected */] {
            assert!(is_of_the_version(flags, b"via_upstream"), "{flags:x}");
        }
        for flags in [0x100, 0x400, 0x600, 0x800, 0x1000, 0x2000, 0x4000, 0x2_0000, 0x4_0000, 0x200_0000] {
            assert!(!is_of_the_version(flags, b"via_upstream"), "{flags:x}");
        }
        assert!(!is_of_the_version(0, b"direct_response"));
    }

    #[test]
    fn an_answer_is_cut_off_by_the_version_or_by_a_timeout_not_by_the_client() {
        for flags in [0x4, 0x10, 0x40, 0x1_0000, 0x80_0000, 0x8_0000] {
            assert!(is_cut_off(flags), "{flags:x}");
        }
        for flags in [0, 0x4000, 0x4040, 0x1000_0010, 0x200, 0x2] {
            assert!(!is_cut_off(flags), "{flags:x}");
        }
    }

    fn grpc(value: &str) -> GrpcStatus {
        GrpcStatus::parse(value.as_bytes())
    }
}
