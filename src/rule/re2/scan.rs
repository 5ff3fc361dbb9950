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
                if opens_group(&mut pattern)? {
                    groups.push(Size { product: 1, steps: 2 });
                }
                Last::Nothing
            }
            ')' => {
                pattern.out.push(')');
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
                pattern.literal(c);
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
    match pattern.foldable {
        Some(what) if pattern.fold => Err(format!(
            "(?i) together with {what}: RE2 folds k, s and letters beyond ASCII in Unicode's way; write both cases instead, as in [kK]"
        )),
        _ => Ok((pattern.out, whole.steps)),
    }
}
