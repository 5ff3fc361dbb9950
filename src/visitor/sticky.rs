//! What sticks to the visitor.

use super::cookie::Cookie;
use super::keep::Keep;
use super::keys::Key;

/// What makes a rule's decisions stick.
#[derive(Clone, Debug)]
pub struct Sticky {
    /// The first that is present is hashed into the draw.
    pub keys: Vec<Key>,
    /// Our own cookie, for visitors without any key; under `keep` for everybody.
    pub cookie: Option<Cookie>,
    /// `onWeightChange: keep`: the cookie keeps the subset, not only the draw. Never without a cookie.
    pub keep: Option<Keep>,
}
