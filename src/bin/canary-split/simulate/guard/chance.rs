//! Random numbers by a seed: the same run gives the same figures again.

/// A generator of random numbers: SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", 2014).
pub struct Chance(u64);

/// The mean up to which a Poisson draw uses Knuth's method; larger ones are sums of such draws.
const KNUTH: f64 = 30.0;

impl Chance {
    /// One of many independent sequences of a seed.
    pub fn new(seed: u64, sequence: u64) -> Chance {
        Chance(xxhash_rust::xxh64::xxh64(&sequence.to_le_bytes(), seed))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// At least 0 and less than 1.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// How often something happens that independently happens this often on average; exact.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut left, mut count) = (mean, 0);
        while left > 0.0 {
            let limit = (-left.min(KNUTH)).exp();
            let mut product = self.share();
            while product > limit {
                count += 1;
                product *= self.share();
            }
            left -= KNUTH;
        }
        count
    }

    /// The same, by a normal distribution for a large mean: good enough for a count of which only a share is used.
    pub fn about_poisson(&mut self, mean: f64) -> u64 {
        if mean < KNUTH {
            return self.poisson(mean);
        }
        let (radius, angle) = ((-2.0 * (1.0 - self.share()).ln()).sqrt(), std::f64::consts::TAU * self.share());
        (mean + mean.sqrt() * radius * angle.cos()).round().max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn mean_and_variance_of_poisson_draws_are_the_mean() {
        for mean in [0.01, 0.5, 7.0, 29.9, 30.1, 75.0] {
            let draws: [fn(&mut Chance, f64) -> u64; 2] = [Chance::poisson, Chance::about_poisson];
            for draw in draws {
                let mut chance = Chance::new(7, 1);
                let counts: Vec<f64> = (0..100_000).map(|_| draw(&mut chance, mean) as f64).collect();
                let average = counts.iter().sum::<f64>() / 1e5;
                let variance = counts.iter().map(|count| (count - average).powi(2)).sum::<f64>() / 1e5;
                let tolerance = 5.0 * (mean / 1e5_f64).sqrt();
                assert!((average - mean).abs() < tolerance, "{average}, not {mean}");
                assert!((variance / mean - 1.0).abs() < 0.1, "{variance}, not {mean}");
            }
        }
    }
}
