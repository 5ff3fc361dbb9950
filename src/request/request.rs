//! The questions that a rule may ask about a request.

use super::claim::ClaimPath;

/// What a rule may ask about a request.
///
/// `'c` is the lifetime of the configuration, which the names belong to: an implementation may remember its answers.
pub trait Request<'c> {
    /// The first value of a header. `:authority`, `:path`, `:method` and `:scheme` are headers too.
    fn header(&mut self, name: &'c str) -> Option<&[u8]>;
    /// A claim of a verified token; a list of strings in Envoy's format for pairs.
    fn claim(&mut self, path: &'c ClaimPath) -> Option<&[u8]>;
    /// The client's address as Envoy trusts it, with or without a port.
    fn client_address(&mut self) -> Option<&[u8]>;
}
