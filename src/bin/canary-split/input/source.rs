//! A text, and the places of its lines.

use super::unreadable::Unreadable;
use super::yaml::{self, Node};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// A text and its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was given, or another origin.
    pub name: String,
    /// All of it.
    pub text: String,
    /// The folder of the kustomization that it was rendered from.
    pub rendered_from: Option<PathBuf>,
    /// Whether it is from the API server: its lines are not in a file.
    pub is_living: bool,
    /// The bytes at which lines begin.
    lines: OnceCell<Vec<usize>>,
    /// The number of characters before each step of bytes.
    characters: OnceCell<Vec<usize>>,
}

/// Bytes between which characters are counted one by one.
const STEP: usize = 256;

impl Source {
    /// A text of this name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
            rendered_from: None,
            is_living: false,
            lines: OnceCell::new(),
            characters: OnceCell::new(),
        }
    }

    /// An object from the API server.
    pub fn living(title: String, text: String) -> Source {
        Source { is_living: true, ..Source::new(title, text) }
    }

    /// The same, rendered from a folder.
    pub fn from(self, folder: &Path) -> Source {
        Source { rendered_from: Some(folder.to_owned()), ..self }
    }

    /// The same with another text.
    pub fn with(&self, text: String) -> Source {
        let (rendered_from, is_living) = (self.rendered_from.clone(), self.is_living);
        Source { rendered_from, is_living, ..Source::new(self.name.clone(), text) }
    }

    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| [0].into_iter().chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// The number of characters before a byte.
    fn characters(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        let count = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let counts = self.characters.get_or_init(|| {
            let mut sum = 0;
            let so_far = |step: &[u8]| {
                sum += count(step);
                sum
            };
            [0].into_iter().chain(bytes.chunks(STEP).map(so_far)).collect()
        });
        let step = at / STEP;
        counts.get(step).copied().unwrap_or_default() + bytes.get(step * STEP..at).map_or(0, count)
    }

    /// Line and column of a byte, both from 1; columns are characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = if self.text.is_char_boundary(at) { at } else { self.text.len() };
        let line = self.lines().partition_point(|start| *start <= at);
        let start = self.lines().get(line - 1).copied().unwrap_or_default();
        (line, self.characters(at) - self.characters(start) + 1)
    }

    /// The line that a byte is in, without its end, and the byte at which it begins.
    pub fn line(&self, at: usize) -> (&str, usize) {
        let (line, _) = self.position(at);
        let start = self.lines().get(line - 1).copied().unwrap_or_default();
        let end = self.lines().get(line).copied().unwrap_or(self.text.len());
        (self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']), start)
    }

    /// Its documents, and why others cannot be read.
    pub fn read(&self) -> (Vec<Node>, Vec<Unreadable>) {
        let (documents, unreadable, _) = self.read_all();
        (documents, unreadable)
    }

    /// The same, with values that are written but have no effect.
    pub fn read_all(&self) -> (Vec<Node>, Vec<Unreadable>, Vec<Node>) {
        let read = yaml::read(&self.text);
        let malformed = read.malformed.iter().map(|malformed| {
            let (line, column) = self.position(malformed.at);
            Unreadable::new(&self.name, Some((line, column)), malformed.problem.clone())
        });
        (read.documents, malformed.collect(), read.replaced)
    }

    /// Its documents.
    pub fn documents(&self) -> Result<Vec<Node>, String> {
        let (documents, unreadable) = self.read();
        unreadable.first().map_or(Ok(documents), |problem| Err(problem.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_place_is_a_line_and_a_character() {
        let text = format!("a\r\nüb\n\n{}😀x\nlast", "é".repeat(1000));
        let source = Source::new("name", text.as_str());
        for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
            let before = text.get(..at).unwrap();
            let line = before.matches('\n').count() + 1;
            let start = before.rfind('\n').map_or(0, |end| end + 1);
            let position = (line, before.get(start..).unwrap().chars().count() + 1);
            assert_eq!(source.position(at), position, "{at}: {character:?}");
            let whole = text.get(start..).unwrap().lines().next().unwrap_or_default().trim_end();
            assert_eq!(source.line(at), (whole, start), "{at}: {character:?}");
        }
        assert_eq!(Source::new("name", "").position(7), (1, 1));
    }
}
