//! How a visitor's draw is turned into a subset: by this filter, and by other schemes.

pub use canary_split::split::MAX_SUBSETS;
use canary_split::split::{Draw, Salt, Split};
use xxhash_rust::xxh64::xxh64;

/// A way to choose the subset of a visitor with a draw.
pub trait Scheme {
    /// The place in the list of the subset that this visitor belongs to.
    fn pick(&self, draw: Draw) -> usize;
}

/// The schemes of the table, in its order.
pub const NAMES: [&str; 4] = ["canary-split", "cumulative intervals", "hash % sum", "rendezvous"];

/// Every scheme for these weights, in the order of [`NAMES`].
pub fn all(weights: &[u32]) -> Result<[Box<dyn Scheme>; 4], String> {
    let split = Split::new(weights).map_err(|error| format!("\"{}\": {error}", super::weights::slashed(weights)))?;
    let weights: Vec<u64> = weights.iter().map(|&w| u64::from(w)).collect();
    Ok([
        Box::new(Lanes { split, salt: Salt::new(b"simulation") }),
        Box::new(Cumulative(weights.clone())),
        Box::new(Modulo(weights.clone())),
        Box::new(Rendezvous(weights)),
    ])
}

struct Lanes {
    split: Split,
    salt: Salt,
}

impl Scheme for Lanes {
    fn pick(&self, draw: Draw) -> usize {
        self.split.pick(self.salt.position(draw))
    }
}

/// One subset's interval after the other, scaled to the sum of the weights (flagd, Cloudflare's gradual deployments).
struct Cumulative(Vec<u64>);

impl Scheme for Cumulative {
    fn pick(&self, draw: Draw) -> usize {
        interval(&self.0, (u64::from(draw.0) * self.0.iter().sum::<u64>()) >> 32)
    }
}

/// One interval after the other, by the remainder (Envoy's `weighted_clusters` under `use_hash_policy`).
struct Modulo(Vec<u64>);

impl Scheme for Modulo {
    fn pick(&self, draw: Draw) -> usize {
        let hash = xxh64(&draw.0.to_le_bytes(), 0);
        interval(&self.0, hash.checked_rem(self.0.iter().sum()).unwrap_or(0))
    }
}

fn interval(weights: &[u64], point: u64) -> usize {
    let mut end = 0;
    let inside = |weight: &u64| {
        end += weight;
        point < end
    };
    weights.iter().position(inside).unwrap_or(0)
}

/// Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): the largest −weight ∕ ln(hash) wins (Traefik).
struct Rendezvous(Vec<u64>);

impl Scheme for Rendezvous {
    fn pick(&self, draw: Draw) -> usize {
        let score = |(subset, &weight): (usize, &u64)| {
            let hash = xxh64(&draw.0.to_le_bytes(), subset as u64 + 1);
            let uniform = (hash >> 11) as f64 / (1_u64 << 53) as f64;
            -(weight as f64) / uniform.max(f64::MIN_POSITIVE).ln()
        };
        let scores = self.0.iter().enumerate().map(score).enumerate();
        scores.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(subset, _)| subset)
    }
}
