//! Goes through a pattern once: refuses what RE2 would read differently, and measures the rest.

use super::class::class;
use super::escape::escape;
use super::group::opens_group;
use super::pattern::Pattern;
use super::repetition::{Last, Size, repetition};

/// The pattern as regex-lite reads it (with `\s` spelled out), and its steps: see [`super::Re2::steps`].
pub(super) fn scan(text: &str) -> Result<(String, u32), String> {
    let mut pattern = Pattern::new(text);
    // The open groups, the outermost first.
    let mut groups = vec![Size::ONE];
    // Whether `(?i)` held where each of them began, but for the outermost.
    let mut outside = Vec::new();
    let mut last = Last::Nothing;
    while let Some((at, c)) = pattern.chars.next() {
        last = match c {
            '\\' => {
                escape(&mut pattern, false)?;
                Last::Item(Size::ONE)
            }
            '[' => {
                let begin = pattern.out.len();
                class(&mut pattern)?;
                // Each of its ranges takes memory.
                let steps = (pattern.out.len() - begin) as u32;
                Last::Item(Size { product: 1, steps })
            }
            '(' => {
                pattern.out.push('(');
                let folded_outside = pattern.folds;
                if opens_group(&mut pattern)? {
                    groups.push(Size { product: 1, steps: 2 });
                    outside.push(folded_outside);
                }
                Last::Nothing
            }
            ')' => {
                pattern.out.push(')');
                pattern.folds = outside.pop().unwrap_or_default();
                match groups.pop() {
                    Some(inner) if !groups.is_empty() => Last::Item(inner),
                    _ => return Err(format!("a ) without a ( at {at}")),
                }
            }
            '|' => {
                pattern.out.push('|');
                Last::Nothing
            }
            '*' | '+' | '?' | '{' => repetition(&mut pattern, c, at, last, &mut groups)?,
            _ => {
                pattern.literal(c, at, c.encode_utf8(&mut [0; 4]))?;
                Last::Item(Size::ONE)
            }
        };
        let Some(group) = groups.last_mut() else { continue };
        match last {
            Last::Item(item) => {
                group.product = group.product.max(item.product);
                group.steps = group.steps.saturating_add(item.steps);
            }
            Last::Nothing | Last::Repetition => group.steps = group.steps.saturating_add(1),
        }
    }
    let [whole] = groups.as_slice() else { return Err("a ( without a )".to_owned()) };
    Ok((pattern.out, whole.steps))
}
