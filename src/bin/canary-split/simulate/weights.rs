//! The weights of a step, stable first.

/// Writes `80/20`.
pub fn slashed(weights: &[u32]) -> String {
    weights.iter().map(u32::to_string).collect::<Vec<_>>().join("/")
}

/// The share of the visitors that any scheme has to move: what the subsets gain.
pub fn least(old: &[u32], new: &[u32]) -> f64 {
    (0..old.len().max(new.len())).map(|subset| (share(new, subset) - share(old, subset)).max(0.0)).sum()
}

/// The share of a subset by weight; 0 if it does not exist.
pub fn share(weights: &[u32], subset: usize) -> f64 {
    let sum: u64 = weights.iter().map(|&w| u64::from(w)).sum();
    f64::from(weights.get(subset).copied().unwrap_or(0)) / sum as f64
}
