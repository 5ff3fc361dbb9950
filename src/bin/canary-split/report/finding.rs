//! The findings of `check`: each with a code, its place, why it matters and how to fix it.

use super::wrap::lines;
use crate::input::quoted::visible;
use crate::input::sources::Source;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;

/// The severity of a kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It may be intended.
    Warning,
    /// Requests go wrong.
    Error,
}

/// As in the name of a finding; padded on request.
impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// A kind of finding. The texts are in `docs/checks.md` too.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name, in messages and for `--allow`.
    pub name: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// How to fix it.
    pub fix: &'static str,
}

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub code: &'static Code,
    /// The problem, with the names and values of this case.
    pub message: String,
    /// The text.
    pub source: Rc<Source>,
    /// The place in the text.
    pub span: Range<usize>,
    /// The place in an object, if known.
    pub place: Option<Place>,
}

/// A place in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `KIND NAMESPACE/NAME`
    pub object: String,
    /// As in `spec.http[0].route`; empty: all of it.
    pub path: String,
    /// The source that it was rendered from, if known.
    pub from: Option<Origin>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// Its text.
    #[serde(skip)]
    pub text: String,
    /// The same without secrets, of the same length.
    #[serde(skip)]
    pub masked: String,
    /// The bytes that it is about.
    #[serde(skip)]
    pub pointed: Range<usize>,
}

/// The number of characters of a line before its note, in addition to the line number.
const NOTE: usize = " = note: ".len();

/// Longer lines are shown in part.
const MOST: usize = 400;
/// The number of characters shown before and after the place.
const AROUND: usize = 60;

/// A finding as JSON.
#[derive(Serialize)]
struct Listed<'f> {
    code: &'f str,
    severity: Severity,
    message: &'f str,
    file: &'f str,
    line: Option<usize>,
    column: Option<usize>,
    text: String,
    object: Option<&'f str>,
    path: Option<&'f str>,
    from: Option<&'f Origin>,
    why: &'f str,
    fix: &'f str,
}

impl Finding {
    /// Something at this place.
    pub fn new(code: &'static Code, source: &Rc<Source>, span: &Range<usize>, message: String) -> Finding {
        Finding { code, message, source: Rc::clone(source), span: span.clone(), place: None }
    }

    /// Its identity.
    pub fn identity(&self) -> (&'static str, String, *const Source, usize, usize) {
        (self.code.name, self.message.clone(), Rc::as_ptr(&self.source), self.span.start, self.span.end)
    }

    /// The line that it is about, and the bytes to point at; of a long line only the part around them.
    fn pointed(&self) -> (&str, Range<usize>) {
        let (line, begins) = self.source.line(self.span.start);
        let start = (self.span.start - begins).min(line.len());
        let end = line.len().min(self.span.end.saturating_sub(begins)).max(start);
        if line.len() <= MOST {
            return (line, start..end);
        }
        let cut = |at: usize| (0..=at.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or_default();
        let (from, to) = (cut(start.saturating_sub(AROUND)), cut(end.min(start + AROUND) + AROUND));
        (line.get(from..to).unwrap_or_default(), start - from..(end - from).min(to - from))
    }

    /// In the format of rustc.
    pub fn print(&self, out: &mut impl Write, is_colourful: bool) -> io::Result<()> {
        let level = match self.code.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let (line, column) = self.source.position(self.span.start);
        let (text, pointed) = self.pointed();
        let snippet = Snippet::source(text).line_start(line).annotation(AnnotationKind::Primary.span(pointed));
        let message = visible(&self.message);
        let group = level.primary_title(&*message).id(self.code.name);
        // The columns of a cut line are not those of the file.
        let from = self.place.as_ref().and_then(|place| place.from.as_ref());
        let is_in_no_file = self.source.rendered_from.is_some() || self.source.is_living;
        let group = if let Some(Origin { file, line, text, pointed, .. }) = from {
            let snippet =
                Snippet::source(text).line_start(*line).annotation(AnnotationKind::Primary.span(pointed.clone()));
            group.element(snippet.path(file))
        } else if is_in_no_file {
            group.element(annotate_snippets::Origin::path(&self.source.name))
        } else if self.source.line(self.span.start).0.len() == text.len() {
            group.element(snippet.path(&self.source.name))
        } else {
            group
                .element(annotate_snippets::Origin::path(&self.source.name).line(line).char_column(column))
                .element(snippet)
        };
        // Rendered objects, and those in the cluster, have no lines in a file.
        let place = self.place.as_ref().filter(|_| is_in_no_file).map(|place| visible(&place.to_string()).into_owned());
        let rendered = from.map(|_| format!("rendered by {}", visible(&self.source.name)));
        let notes = place.iter().chain(&rendered).map(|note| Level::NOTE.message(note.as_str()));
        let (why, fix) = (lines(NOTE + digits(line), self.code.why), lines(NOTE + digits(line), self.code.fix));
        let group = group.elements(notes);
        let report = [group.element(Level::NOTE.message(why.as_str())).element(Level::HELP.message(fix.as_str()))];
        let renderer = if is_colourful { Renderer::styled() } else { Renderer::plain() };
        writeln!(out, "{}\n", renderer.decor_style(DecorStyle::Ascii).render(&report))
    }

    /// As an entry of a list in JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let position = (!self.source.is_living).then(|| self.source.position(self.span.start));
        let (line, column) = position.unzip();
        let text = self.pointed().0.to_owned();
        let place = self.place.as_ref();
        let Code { name, severity, why, fix } = *self.code;
        let listed = Listed {
            code: name,
            severity,
            message: &self.message,
            file: &self.source.name,
            line,
            column,
            text,
            object: place.map(|place| place.object.as_str()),
            path: place.map(|place| place.path.as_str()),
            from: place.and_then(|place| place.from.as_ref()),
            why,
            fix,
        };
        serde_json::to_value(listed).unwrap_or_default()
    }
}

fn digits(line: usize) -> usize {
    line.to_string().len()
}

/// `OBJECT, PATH`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.object)?;
        if !self.path.is_empty() {
            write!(f, ", {}", self.path)?;
        }
        Ok(())
    }
}
