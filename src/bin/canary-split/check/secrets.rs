//! Makes secrets unreadable: a finding shows the line that it is about, and anything may be on that line.

use crate::input::manifest::Objects;
use crate::input::secret::Secret;
use crate::input::secrets::{self, Known};
use crate::input::sources::Source;
use crate::input::told::Told;
use crate::report::finding::Finding;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// Byte by byte in what is shown, and as `***` in messages.
pub fn hide(objects: &Objects, findings: &mut [Finding], notes: &mut [String]) {
    let (all, told) = all(objects);
    let mut lines: HashMap<*const Source, BTreeSet<usize>> = HashMap::new();
    for finding in findings.iter() {
        let (_, start) = finding.source.line(finding.span.start);
        lines.entry(Rc::as_ptr(&finding.source)).or_default().insert(start);
    }
    let mut shown: HashMap<*const Source, Rc<Source>> = HashMap::new();
    for finding in findings {
        let key = Rc::as_ptr(&finding.source);
        let of_source = all.get(&key).map_or(&[][..], Vec::as_slice);
        let first = of_source.partition_point(|secret| secret.span.start < finding.span.start);
        let within = of_source.iter().skip(first).take_while(|secret| secret.span.start < finding.span.end);
        for secret in within.filter(|secret| !secret.text.is_empty()).take(100) {
            finding.message = secret.hidden_in(&finding.message);
        }
        finding.message = told.hidden_in(&finding.message);
        if let Some(place) = &mut finding.place {
            place.path = told.hidden_in(&place.path);
            if let Some(from) = &mut place.from {
                from.text = masked(&from.masked, &[], &told, 0);
            }
        }
        let source = shown.entry(key).or_insert_with(|| {
            Rc::new(without(of_source, &told, lines.get(&key).into_iter().flatten(), &finding.source))
        });
        finding.source = Rc::clone(source);
    }
    notes.iter_mut().for_each(|note| *note = told.hidden_in(note));
}

/// The secrets of files that are shown line by line.
pub struct Hidden {
    all: HashMap<*const Source, Vec<Secret>>,
    told: Told,
}

impl Hidden {
    /// Those of these objects.
    pub fn of(objects: &Objects) -> Hidden {
        let (all, told) = all(objects);
        Hidden { all, told }
    }

    /// The line that a byte is in, without its secrets and its comment, as long as it is.
    pub fn line(&self, source: &Rc<Source>, at: usize) -> String {
        let (line, start) = source.line(at);
        masked(line, self.all.get(&Rc::as_ptr(source)).map_or(&[][..], Vec::as_slice), &self.told, start)
    }
}

/// A line that begins at this byte without the secrets that are on it.
fn masked(line: &str, secrets: &[Secret], told: &Told, start: usize) -> String {
    let mut bytes = line.as_bytes().to_vec();
    // One may have begun on a line before.
    let on_it = |secret: &&Secret| secret.span.start < start + line.len() && secret.span.end > start;
    for secret in secrets.iter().filter(on_it) {
        hide_bytes(&mut bytes, secret.span.start.saturating_sub(start), (secret.span.end - start).min(line.len()));
    }
    told.within(line).into_iter().for_each(|part| hide_bytes(&mut bytes, part.start, part.end));
    if let Some(comment) = comment(line) {
        hide_bytes(&mut bytes, comment, line.len());
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// All secrets of each text, in their order, and what those say that may be anywhere.
fn all(objects: &Objects) -> (HashMap<*const Source, Vec<Secret>>, Told) {
    let mut all: HashMap<*const Source, Vec<Secret>> = HashMap::new();
    let known = Known::of(objects);
    let names = secrets::names(objects);
    let mut told = Told::default();
    for object in &objects.objects {
        let of_source = all.entry(Rc::as_ptr(&object.source)).or_default();
        let before = of_source.len();
        secrets::of_object(object, &known, of_source);
        if !object.carriers().is_empty() || ["VirtualService", "HTTPRoute", "GRPCRoute"].contains(&object.kind) {
            let said = of_source.iter().skip(before).map(|secret| secret.text.as_str());
            said.filter(|said| !names.contains(*said)).for_each(|said| told.add(said));
        }
    }
    for config in &objects.bare {
        if let Some(node) = &config.node {
            let of_source = all.entry(Rc::as_ptr(&config.source)).or_default();
            let before = of_source.len();
            secrets::of_config(node, of_source);
            let said = of_source.iter().skip(before).map(|secret| secret.text.as_str());
            said.filter(|said| !names.contains(*said)).for_each(|said| told.add(said));
        }
    }
    for (source, secret) in &objects.secrets {
        all.entry(Rc::as_ptr(source)).or_default().push(secret.clone());
    }
    all.values_mut().for_each(|secrets| secrets.sort_by_key(|secret| secret.span.start));
    (all, told)
}

/// A text without its secrets, and without the comments on the lines that begin here.
fn without<'l>(secrets: &[Secret], told: &Told, lines: impl Iterator<Item = &'l usize>, source: &Source) -> Source {
    let mut bytes = source.text.clone().into_bytes();
    for secret in secrets {
        hide_bytes(&mut bytes, secret.span.start, secret.span.end);
    }
    for &start in lines {
        let (line, _) = source.line(start);
        for part in told.within(line) {
            hide_bytes(&mut bytes, start + part.start, start + part.end);
        }
        // Anything may be in a comment, and nobody needs one to see what is wrong.
        if let Some(comment) = comment(line) {
            hide_bytes(&mut bytes, start + comment, start + line.len());
        }
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    source.with(text)
}

fn hide_bytes(bytes: &mut [u8], start: usize, end: usize) {
    for byte in bytes.get_mut(start..end).into_iter().flatten().filter(|byte| **byte != b'\n') {
        *byte = b'*';
    }
}

/// Where the text of a comment begins.
fn comment(line: &str) -> Option<usize> {
    let begins =
        |at: usize| matches!(at.checked_sub(1).map(|at| line.as_bytes().get(at)), None | Some(Some(b' ' | b'\t')));
    let mut quote = None;
    for (at, byte) in line.bytes().enumerate() {
        let opens = |at: usize| {
            at.checked_sub(1)
                .is_none_or(|at| matches!(line.as_bytes().get(at), Some(b' ' | b'\t' | b'[' | b'{' | b',' | b':')))
        };
        match (quote, byte) {
            (None, b'#') if begins(at) => return Some(at + 1),
            (None, b'"' | b'\'') if opens(at) => quote = Some(byte),
            (Some(open), _) if byte == open => quote = None,
            _ => {}
        }
    }
    // A quoted text that goes on from line to line may end in this one.
    quote.and_then(|_| line.bytes().enumerate().find(|(at, byte)| *byte == b'#' && begins(*at))).map(|(at, _)| at + 1)
}
