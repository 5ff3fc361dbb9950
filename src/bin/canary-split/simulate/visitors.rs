//! The draws of the visitors: the same for every scheme, so that any difference is due to the scheme.

use super::options::Options;
use canary_split::split::Draw;

/// The draw of a visitor: a Weyl sequence through xxHash64.
pub fn draw(visitor: u32, options: &Options) -> Draw {
    Draw(xxhash_rust::xxh64::xxh64(&visitor.to_le_bytes(), options.seed) as u32)
}

/// All visitors' draws.
pub fn draws(options: &Options) -> impl Iterator<Item = Draw> {
    (0..options.visitors).map(|visitor| draw(visitor, options))
}
