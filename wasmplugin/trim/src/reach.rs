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

/// Who names whom.
pub struct Reach {
    named: BTreeMap<Item, Vec<Item>>,
    pieces: Vec<Piece>,
}

impl Reach {
    /// Reads the relocations of a module.
    pub fn read(module: &[u8]) -> Result<Reach, String> {
        let (mut symbols, mut relocations) = (Vec::new(), Vec::new());
        // Where the sections begin, and what stands where in them.
        let (mut code, mut data) = (0, 0);
        let (mut bodies, mut segments) = (BTreeMap::new(), Vec::new());
        let mut index = 0;
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(|error| error.to_string())? {
                Payload::ImportSection(imports) => index += imports.count(),
                Payload::CodeSectionStart { range, .. } => code = range.start,
                Payload::CodeSectionEntry(body) => {
                    bodies.insert(body.range().start, Item::Function(index));
                    index += 1;
                }
                Payload::DataSection(section) => {
                    data = section.range().start;
                    for segment in section {
                        let segment = segment.map_err(|error| error.to_string())?;
                        segments.push(segment.data.as_ptr() as usize - module.as_ptr() as usize);
                    }
                }
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Linking(linking) => {
                        for subsection in linking.subsections() {
                            if let Linking::SymbolTable(table) = subsection.map_err(|error| error.to_string())? {
                                symbols =
                                    table.into_iter().collect::<Result<_, _>>().map_err(|error| error.to_string())?;
                            }
                        }
                    }
                    KnownCustom::Reloc(reader) => relocations.push((section.name(), reader)),
                    _ => {}
                },
                _ => {}
            }
        }
        if symbols.is_empty() || relocations.len() != 2 {
            return Err("it has no relocations; link it with --emit-relocs".to_owned());
        }
        let mut pieces = Vec::new();
        let mut items = Vec::new();
        for (symbol, info) in symbols.iter().enumerate() {
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
        let mut reach = Reach { named: BTreeMap::new(), pieces };
        for (name, reader) in relocations {
            let in_code =
                |at: usize| bodies.range(..=code + at).next_back().map(|(_, item)| *item).into_iter().collect();
            match name {
                "reloc.CODE" => reach.add(reader, &items, in_code)?,
                _ => {
                    let starts: Vec<usize> = segments.iter().map(|start| start - data).collect();
                    let pieces: Vec<(Range<usize>, Item)> = reach
                        .pieces
                        .iter()
                        .map(|piece| {
                            let start = starts.get(piece.segment).copied().unwrap_or_default();
                            (start + piece.range.start..start + piece.range.end, Item::Data(piece.symbol))
                        })
                        .collect();
                    let in_data = |at: usize| {
                        pieces.iter().filter(|(range, _)| range.contains(&at)).map(|(_, item)| *item).collect()
                    };
                    reach.add(reader, &items, in_data)?;
                }
            }
        }
        Ok(reach)
    }

    fn add(
        &mut self,
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
            let named = items.get(entry.index as usize).copied().flatten();
            let who = who(entry.offset as usize);
            if who.is_empty() {
                return Err(format!("a relocation at {} belongs to nothing that has a symbol", entry.offset));
            }
            for item in who {
                self.named.entry(item).or_default().extend(named);
            }
        }
        Ok(())
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
