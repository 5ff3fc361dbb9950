//! Reads a pattern once: refuses what RE2 would read differently, and compiles and measures the rest.

use super::chars::Chars;
use super::class::class;
use super::escape::{Escape, escape};
use super::group::opens_group;
use super::pattern::{Flags, Pattern};
use super::program::{Branches, Builder, Look, Program};
use super::repetition::{Last, Size, repetition};

/// The most groups inside each other.
const MAX_DEPTH: usize = 50;

/// A group that is open.
struct Group {
    branches: Branches,
    size: Size,
    /// The flags that held where it began.
    outside: Flags,
}

/// The program of a pattern, and its steps: see [`super::Re2::steps`].
pub(super) fn scan(text: &str) -> Result<(Program, u32), String> {
    let mut pattern = Pattern::new(text);
    let mut program = Builder::new();
    let mut outer: Vec<Group> = Vec::new();
    let mut group = Group { branches: program.open(), size: Size::ONE, outside: pattern.flags };
    let mut last = Last::Nothing;
    // Where the last part begins.
    let mut begin = 0;
    while let Some((at, c)) = pattern.chars.next() {
        let here = program.here();
        last = match c {
            '\\' => {
                match escape(&mut pattern, false)? {
                    // Only an escape by number may be beyond ASCII.
                    Escape::Char(c) => literal(&mut program, &pattern, c, at + 1)?,
                    Escape::Chars(chars) => {
                        program.chars(folded(chars, pattern.flags));
                    }
                    Escape::Look(look) => program.look(look),
                }
                begin = here;
                Last::Item(Size::ONE)
            }
            '[' => {
                program.chars(class(&mut pattern)?);
                begin = here;
                Last::Item(Size::ONE)
            }
            '(' => {
                let outside = pattern.flags;
                if opens_group(&mut pattern)? {
                    let inner = Group { branches: program.open(), size: Size { product: 1, steps: 2 }, outside };
                    outer.push(std::mem::replace(&mut group, inner));
                    if outer.len() > MAX_DEPTH {
                        return Err(format!("( at {at} is inside more than {MAX_DEPTH} others"));
                    }
                }
                Last::Nothing
            }
            ')' => {
                let Some(around) = outer.pop() else { return Err(format!("a ) without a ( at {at}")) };
                let inner = std::mem::replace(&mut group, around);
                pattern.flags = inner.outside;
                begin = program.close(inner.branches);
                Last::Item(inner.size)
            }
            '|' => {
                program.branch(&mut group.branches);
                Last::Nothing
            }
            '*' | '+' | '?' | '{' => {
                let (least, most) = repetition(&mut pattern, c, at, last, &mut group.size)?;
                program.repeat(begin, least, most)?;
                Last::Repetition
            }
            '.' => {
                program.chars(Chars::dot(pattern.flags.dot_all));
                begin = here;
                Last::Item(Size::ONE)
            }
            '^' | '$' => {
                program.look(match (c, pattern.flags.by_lines) {
                    ('^', false) => Look::TextStart,
                    ('^', true) => Look::LineStart,
                    (_, false) => Look::TextEnd,
                    (_, true) => Look::LineEnd,
                });
                begin = here;
                Last::Item(Size::ONE)
            }
            _ => {
                literal(&mut program, &pattern, c, at)?;
                begin = here;
                Last::Item(Size::ONE)
            }
        };
        program.check()?;
        let size = &mut group.size;
        match last {
            Last::Item(item) => {
                size.product = size.product.max(item.product);
                size.steps = size.steps.saturating_add(item.steps);
            }
            Last::Nothing | Last::Repetition => size.steps = size.steps.saturating_add(1),
        }
    }
    if !outer.is_empty() {
        return Err("a ( without a )".to_owned());
    }
    program.close(group.branches);
    Ok((program.finish(), group.size.steps))
}

fn literal(program: &mut Builder, pattern: &Pattern, c: char, at: usize) -> Result<(), String> {
    if pattern.flags.folds {
        pattern.check_fold(c, at)?;
        program.chars(folded(Chars::one(c), pattern.flags));
    } else {
        program.char(c);
    }
    Ok(())
}

fn folded(mut chars: Chars, flags: Flags) -> Chars {
    if flags.folds {
        chars.fold();
    }
    chars
}
