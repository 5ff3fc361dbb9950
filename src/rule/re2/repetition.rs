//! `*`, `+`, `?` and `{n,m}`, and what they make of a pattern's size.

use super::pattern::Pattern;

/// RE2's limit for a repetition, and for the product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// What repetitions make of a part of a pattern.
#[derive(Clone, Copy)]
pub(super) struct Size {
    /// The largest product of nested repetitions.
    pub(super) product: u32,
    /// See [`super::Re2::steps`].
    pub(super) steps: u32,
}

impl Size {
    pub(super) const ONE: Size = Size { product: 1, steps: 1 };
}

/// What a repetition operator could apply to.
#[derive(Clone, Copy)]
pub(super) enum Last {
    /// Nothing yet: the start, `(` or `|`.
    Nothing,
    /// Something that has been counted once.
    Item(Size),
    /// A repetition: another one on top would be refused by RE2.
    Repetition,
}

/// `*`, `+`, `?` or `{n,m}`, and the `?` that makes it lazy.
pub(super) fn repetition(
    pattern: &mut Pattern,
    c: char,
    at: usize,
    last: Last,
    groups: &mut [Size],
) -> Result<Last, String> {
    let inner = match last {
        Last::Item(inner) => inner,
        Last::Nothing => return Err(format!("{c} at {at} has nothing to repeat")),
        Last::Repetition => return Err(format!("{c} at {at} repeats a repetition; put the inner one in (?:…)")),
    };
    pattern.out.push(c);
    if c == '{' {
        let most = bounds(pattern, at)?;
        let product = most.saturating_mul(inner.product);
        if product > MAX_REPEAT {
            return Err(format!("a repetition of {product} at {at} is more than {MAX_REPEAT}"));
        }
        if let Some(group) = groups.last_mut() {
            group.product = group.product.max(product);
            // It has been counted once, and {n,} ends in one more.
            group.steps = group.steps.saturating_add(inner.steps.saturating_mul(most));
        }
    }
    if pattern.takes('?') {
        pattern.out.push('?');
    }
    Ok(Last::Repetition)
}

/// After `{`: `n}`, `n,}` or `n,m}`. Returns the larger bound.
fn bounds(pattern: &mut Pattern, at: usize) -> Result<u32, String> {
    let rest = pattern.text.get(at + 1..).unwrap_or_default();
    let wrong = || format!("{{ at {at}: write {{n}}, {{n,}} or {{n,m}}, or \\{{ for the character");
    let (bounds, _) = rest.split_once('}').ok_or_else(wrong)?;
    let (least, most) = bounds.split_once(',').unwrap_or((bounds, bounds));
    let number = |digits: &str| -> Result<u32, String> {
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        Ok(digits.parse().unwrap_or(u32::MAX))
    };
    let least = number(least)?;
    let most = if most.is_empty() { least } else { number(most)? };
    if most < least {
        return Err(format!("{{n,m}} at {at}: the first number is the larger one"));
    }
    for _ in 0..=bounds.len() {
        if let Some((_, c)) = pattern.chars.next() {
            pattern.out.push(c);
        }
    }
    Ok(most.max(1))
}
