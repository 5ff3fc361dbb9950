//! `*`, `+`, `?` and `{n,m}`, and their effect on the size of a pattern.

use super::pattern::Pattern;

/// RE2's limit for a repetition, and for the product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// The effect of repetitions on a part of a pattern.
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

/// The part that a repetition operator could apply to.
#[derive(Clone, Copy)]
pub(super) enum Last {
    /// Nothing yet: the start, `(` or `|`.
    Nothing,
    /// Something that has been counted once.
    Item(Size),
    /// A repetition: another one on top would be refused by RE2.
    Repetition,
}

/// After `*`, `+`, `?` or `{`: up to and with the `?` that makes it lazy. Returns the bounds; counts what the repetition makes of the
/// innermost of the open groups.
pub(super) fn repetition(
    pattern: &mut Pattern,
    c: char,
    at: usize,
    last: Last,
    around: &mut Size,
) -> Result<(u32, Option<u32>), String> {
    let inner = match last {
        Last::Item(inner) => inner,
        Last::Nothing => return Err(format!("{c} at {at} has nothing to repeat")),
        Last::Repetition => return Err(format!("{c} at {at} repeats a repetition; put the inner one in (?:…)")),
    };
    let bounds = match c {
        '*' => (0, None),
        '+' => (1, None),
        '?' => (0, Some(1)),
        _ => {
            let (least, most) = counted(pattern, at)?;
            let times = most.unwrap_or(least).max(1);
            let product = times.saturating_mul(inner.product);
            if product > MAX_REPEAT {
                return Err(format!("a repetition of {product} at {at} is more than {MAX_REPEAT}"));
            }
            around.product = around.product.max(product);
            // It has been counted once, and {n,} adds one more at the end.
            around.steps = around.steps.saturating_add(inner.steps.saturating_mul(times));
            (least, most)
        }
    };
    pattern.takes('?');
    Ok(bounds)
}

/// After `{`: `n}`, `n,}` or `n,m}`.
fn counted(pattern: &mut Pattern, at: usize) -> Result<(u32, Option<u32>), String> {
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
    let most = if most.is_empty() { None } else { Some(number(most)?) };
    if most.is_some_and(|most| most < least) {
        return Err(format!("{{n,m}} at {at}: the first number is the larger one"));
    }
    for _ in 0..=bounds.len() {
        pattern.chars.next();
    }
    Ok((least, most))
}
