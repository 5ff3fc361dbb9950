//! What `check` finds: each with a code, its place, why it matters and how to fix it.

use crate::input::sources::Source;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;

/// How bad a kind of finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be meant.
    Warning,
    /// Requests go wrong.
    Error,
}

/// A kind of finding. The texts are in `docs/CHECKS.md` too.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, in messages and for `--allow`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// How to fix it.
    pub fix: &'static str,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub code: &'static Code,
    /// What is wrong, with the names and values of this case.
    pub message: String,
    /// The text.
    pub source: Rc<Source>,
    /// Where in it.
    pub span: Range<usize>,
}

/// A finding as JSON.
#[derive(Serialize)]
struct Listed<'f> {
    code: &'f str,
    severity: Severity,
    message: &'f str,
    file: &'f str,
    line: usize,
    column: usize,
    text: String,
    why: &'f str,
    fix: &'f str,
}

impl Finding {
    /// Something at this place.
    pub fn new(code: &'static Code, source: &Rc<Source>, span: &Range<usize>, message: String) -> Finding {
        Finding { code, message, source: Rc::clone(source), span: span.clone() }
    }

    /// The bytes to point at: of what goes over several lines the first one.
    fn pointed(&self) -> Range<usize> {
        let text = self.source.text.get(self.span.clone()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default().trim_end();
        self.span.start..self.span.start + first.len()
    }

    /// As rustc shows what it finds.
    pub fn print(&self, out: &mut impl Write, is_colourful: bool) -> io::Result<()> {
        let level = match self.code.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let group = level.primary_title(&self.message).id(self.code.name).element(
            Snippet::source(&self.source.text)
                .path(&self.source.name)
                .annotation(AnnotationKind::Primary.span(self.pointed())),
        );
        let report = [group.element(Level::NOTE.message(self.code.why)).element(Level::HELP.message(self.code.fix))];
        let renderer = if is_colourful { Renderer::styled() } else { Renderer::plain() };
        writeln!(out, "{}\n", renderer.decor_style(DecorStyle::Ascii).render(&report))
    }

    /// As an entry of a list in JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let (line, column) = self.source.position(self.span.start);
        let text = self.source.text.lines().nth(line - 1).unwrap_or_default().to_owned();
        let Code { name, severity, why, fix } = *self.code;
        let listed = Listed {
            code: name,
            severity,
            message: &self.message,
            file: &self.source.name,
            line,
            column,
            text,
            why,
            fix,
        };
        serde_json::to_value(listed).unwrap_or_default()
    }
}
