//! The subset that a cookie keeps (`onWeightChange: keep`), and the signature that tells a real one from a forged one.

use super::cookie::Held;
use crate::split::Draw;
use crate::subset::Subset;
use siphasher::sip::SipHasher24;
use std::hash::Hasher;
use xxhash_rust::xxh64::xxh64;

/// What signs a rule's kept cookies.
///
/// The signature is SipHash-2-4 (Aumasson and Bernstein) of rule, subset and draw: `RULE 0 SUBSET 0 DRAW`, the draw as 4 bytes,
/// little-endian. Its key is two xxHash64 (seeds 0 and 1) of the config's seal, a zero byte and the salt. Without a seal in the
/// config, anyone who knows the rule can make one.
#[derive(Clone, Debug)]
pub struct Keep {
    begun: SipHasher24,
}

impl Keep {
    /// For the cookies of this rule under this seal and salt.
    pub fn new(seal: Option<&str>, salt: &[u8], rule: &str) -> Keep {
        let mut secret = seal.unwrap_or_default().as_bytes().to_vec();
        secret.push(0);
        secret.extend(salt);
        let mut begun = SipHasher24::new_with_keys(xxh64(&secret, 0), xxh64(&secret, 1));
        begun.write(rule.as_bytes());
        begun.write(&[0]);
        Keep { begun }
    }

    /// The signature of a visitor in this subset with this draw.
    pub fn signature(&self, subset: &str, draw: Draw) -> u64 {
        let mut hasher = self.begun;
        hasher.write(subset.as_bytes());
        hasher.write(&[0]);
        hasher.write(&draw.0.to_le_bytes());
        hasher.finish()
    }

    /// The place of the subset that a cookie keeps, if it is in the split and the signature is ours.
    pub fn kept(&self, held: &Held, subsets: &[Subset]) -> Option<usize> {
        let (name, signature) = held.kept?;
        let at = subsets.iter().position(|subset| subset.name.as_bytes() == name)?;
        (self.signature(&subsets.get(at)?.name, held.draw) == signature).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cookies are in use: another signature would release every kept visitor.
    #[test]
    fn the_signature_is_stable() {
        let signature =
            |seal, salt: &str, rule, subset, draw| Keep::new(seal, salt.as_bytes(), rule).signature(subset, Draw(draw));
        let ours = signature(Some("0123456789abcdef"), "httpbin", "httpbin", "v2", 0xfeed_face);
        assert_eq!(format!("{ours:016x}"), "d6146b2550896b27");
        assert_eq!(format!("{:016x}", signature(None, "httpbin", "httpbin", "v2", 0xfeed_face)), "7873ee7f5a91241c");
        for other in [
            signature(Some("0123456789abcdeF"), "httpbin", "httpbin", "v2", 0xfeed_face),
            signature(Some("0123456789abcdef"), "httpbin2", "httpbin", "v2", 0xfeed_face),
            signature(Some("0123456789abcdef"), "httpbin", "httpbin2", "v2", 0xfeed_face),
            signature(Some("0123456789abcdef"), "httpbin", "httpbin", "v1", 0xfeed_face),
            signature(Some("0123456789abcdef"), "httpbin", "httpbin", "v2", 0xfeed_facf),
        ] {
            assert_ne!(other, ours);
        }
    }
}
