//! What reaches what in a module, by the relocations that the linker leaves in it (`--emit-relocs`): it knows each place in code and
//! data that names a function or a piece of data. So what the linker collects as garbage can be collected once more, with other roots.
//!
//! Format: <https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md>

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasmparser::{KnownCustom, Linking, Parser, Payload, RelocSectionReader, SymbolInfo};

/// What can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A function, by its index.
    Function(u32),
    /// A piece of data, by its symbol.
    Data(usize),
}

/// A piece of data.
struct Piece {
    symbol: usize,
    segment: usize,
    /// Where in its segment.
    range: Range<usize>,
}

/// The places of things in a module, and the linker's information about them.
#[derive(Default)]
struct Sections<'m> {
    symbols: Vec<SymbolInfo<'m>>,
    in_code: Option<RelocSectionReader<'m>>,
    in_data: Option<RelocSectionReader<'m>>,
    /// The functions by where they begin in the section of code.
    functions: BTreeMap<usize, u32>,
    /// Where each segment begins in the section of data.
    segments: Vec<usize>,
}

impl<'m> Sections<'m> {
    fn read(module: &'m [u8]) -> wasmparser::Result<Sections<'m>> {
        let mut sections = Sections::default();
        let (mut index, mut code) = (0, 0);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                // The module imports nothing but functions.
                Payload::ImportSection(imports) => index += imports.count(),
                Payload::CodeSectionStart { range, .. } => code = range.start,
                Payload::CodeSectionEntry(body) => {
                    sections.functions.insert(body.range().start - code, index);
                    index += 1;
                }
                Payload::DataSection(data) => {
                    let start = module.as_ptr() as usize + data.range().start;
                    for segment in data {
                        sections.segments.push(segment?.data.as_ptr() as usize - start);
                    }
                }
                Payload::CustomSection(section) => match (section.name(), section.as_known()) {
                    (_, KnownCustom::Linking(linking)) => {
                        for subsection in linking.subsections() {
                            if let Linking::SymbolTable(table) = subsection? {
                                sections.symbols = table.into_iter().collect::<Result<_, _>>()?;
                            }
                        }
                    }
                    ("reloc.CODE", KnownCustom::Reloc(reader)) => sections.in_code = Some(reader),
                    ("reloc.DATA", KnownCustom::Reloc(reader)) => sections.in_data = Some(reader),
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(sections)
    }
}

/// Who names whom.
pub struct Reach {
    named: BTreeMap<Item, Vec<Item>>,
    pieces: Vec<Piece>,
}

impl Reach {
    /// Reads the relocations of a module.
    pub fn read(module: &[u8]) -> Result<Reach, String> {
        let sections = Sections::read(module).map_err(|error| error.to_string())?;
        let (Some(in_code), Some(in_data)) = (sections.in_code, sections.in_data) else {
            return Err("it has no relocations; link it with --emit-relocs".to_owned());
        };
        let mut pieces = Vec::new();
        let mut items = Vec::new();
        for (symbol, info) in sections.symbols.iter().enumerate() {
            items.push(match info {
                SymbolInfo::Func { index, .. } => Some(Item::Function(*index)),
                SymbolInfo::Data { symbol: Some(piece), .. } => {
                    let (segment, from) = (piece.index as usize, piece.offset as usize);
                    pieces.push(Piece { symbol, segment, range: from..from + piece.size as usize });
                    Some(Item::Data(symbol))
                }
                _ => None,
            });
        }
        let function_at = |at: usize| {
            let function = sections.functions.range(..=at).next_back();
            function.map(|(_, &index)| Item::Function(index)).into_iter().collect()
        };
        let data_at = |at: usize| {
            let is_there = |piece: &&Piece| {
                let start = sections.segments.get(piece.segment);
                start.and_then(|start| at.checked_sub(*start)).is_some_and(|at| piece.range.contains(&at))
            };
            pieces.iter().filter(is_there).map(|piece| Item::Data(piece.symbol)).collect()
        };
        let mut named = BTreeMap::new();
        add(&mut named, in_code, &items, function_at)?;
        add(&mut named, in_data, &items, data_at)?;
        Ok(Reach { named, pieces })
    }

    /// All that these functions reach, and they themselves; what is cut reaches nothing.
    pub fn from(&self, roots: &[u32], is_cut: impl Fn(u32) -> bool) -> BTreeSet<Item> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<Item> = roots.iter().map(|&index| Item::Function(index)).collect();
        while let Some(item) = open.pop() {
            let ends = matches!(item, Item::Function(index) if is_cut(index));
            if reached.insert(item) && !ends {
                open.extend(self.named.get(&item).into_iter().flatten());
            }
        }
        reached
    }

    /// Overwrites with zeros what is not reached of a segment.
    pub fn clear(&self, segment: usize, bytes: &mut [u8], reached: &BTreeSet<Item>) {
        let mut is_free = vec![false; bytes.len()];
        // Pieces may overlap: equal strings are stored once.
        for is_reached in [false, true] {
            for piece in self.pieces.iter().filter(|piece| piece.segment == segment) {
                if reached.contains(&Item::Data(piece.symbol)) == is_reached
                    && let Some(places) = is_free.get_mut(piece.range.clone())
                {
                    places.fill(!is_reached);
                }
            }
        }
        bytes.iter_mut().zip(is_free).filter(|(_, is_free)| *is_free).for_each(|(byte, _)| *byte = 0);
    }
}

/// Adds the targets of a section's relocations to the things at their places.
fn add(
    named: &mut BTreeMap<Item, Vec<Item>>,
    reader: RelocSectionReader,
    items: &[Option<Item>],
    who: impl Fn(usize) -> Vec<Item>,
) -> Result<(), String> {
    use wasmparser::RelocationType::{GlobalIndexI32, GlobalIndexLeb, TableNumberLeb, TypeIndexLeb};
    for entry in reader.entries() {
        let entry = entry.map_err(|error| error.to_string())?;
        if matches!(entry.ty, TypeIndexLeb | GlobalIndexLeb | GlobalIndexI32 | TableNumberLeb) {
            continue;
        }
        let item = items.get(entry.index as usize).copied().flatten();
        let who = who(entry.offset as usize);
        if who.is_empty() {
            return Err(format!("a relocation at {} belongs to nothing that has a symbol", entry.offset));
        }
        for who in who {
            named.entry(who).or_default().extend(item);
        }
    }
    Ok(())
}
