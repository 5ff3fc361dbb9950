//! What sticks to the visitor.

use super::cookie::Cookie;
use super::keep::Keep;
use super::keys::Key;

/// What makes a rule's decisions stick.
#[derive(Clone, Debug)]
pub struct Sticky {
    /// The first key that is present is hashed into the draw.
    pub keys: Vec<Key>,
    /// Our own cookie: with the draw of the visitor's key, or its own draw without a key.
    pub cookie: Option<Cookie>,
    /// `onWeightChange: keep`: the cookie keeps the subset, not only the draw. Never without a cookie.
    pub keep: Option<Keep>,
}
