//! The source texts of routes, before and after the edits.

use super::export;
use super::extra::{Extras, Known};
use super::files;
use super::ingress::Made;
use super::pieces::{self, Piece};
use super::plan::Plan;
use super::refusal::Refusal;
use super::routes;
use super::stream;
use crate::edit::text::{Refused, edited};
use crate::edit::{Edit, Shown, fields};
use crate::input::manifest::{Object, Objects};
use crate::input::sources::{Source, Unit};
use crate::input::yaml::{self, Node};
use crate::world::routing::VirtualService;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// All source texts with their edits.
#[derive(Clone, Debug)]
pub struct Texts(pub Vec<Text>);

/// A source text with its edits.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text before the edits.
    pub old: Rc<Source>,
    /// Its parts that are read separately: an edit of an object changes one of them, so the others need not be read for it.
    pieces: Rc<[Piece]>,
    /// The parts that are edited, by their places.
    new: BTreeMap<usize, Rc<str>>,
    /// Whether a cluster has printed it: then the edited objects alone are written.
    pub is_export: bool,
    /// Titles of the edited objects.
    pub edited: Vec<String>,
    /// Titles of the Ingresses that a generated text replaces; empty for a given text.
    pub instead_of: Vec<String>,
    /// Hosts that have to move from the old gateway to this one; empty for a given text.
    pub hosts: Vec<String>,
    /// Titles of the objects that a returning owner writes again by itself.
    pub owned: Vec<String>,
}

impl Texts {
    /// All source texts, given or generated, without edits.
    pub fn of(objects: &Objects, made: &[Made]) -> Texts {
        let from_cluster = nodes(objects).filter(|(_, node)| export::is_from_cluster(node));
        let exports: HashSet<*const Source> = from_cluster.map(|(source, _)| Rc::as_ptr(source)).collect();
        let text = |source: &Rc<Source>| {
            let made = made.iter().find(|made| Rc::ptr_eq(&made.source, source));
            let pieces = pieces::of(&source.text);
            Text {
                old: Rc::clone(source),
                is_export: pieces.iter().any(|piece| piece.item.is_some()) || exports.contains(&Rc::as_ptr(source)),
                pieces: pieces.into(),
                new: BTreeMap::new(),
                edited: Vec::new(),
                instead_of: made.map(|made| made.instead_of.clone()).unwrap_or_default(),
                hosts: made.map(|made| made.hosts.clone()).unwrap_or_default(),
                owned: Vec::new(),
            }
        };
        Texts(objects.sources.iter().map(text).collect())
    }

    /// The texts with at least one edited object.
    pub fn edited(&self) -> impl Iterator<Item = &Text> {
        self.0.iter().filter(|text| !text.edited.is_empty())
    }

    /// Applies the edits of a plan: all of them, or none if one fails.
    pub fn convert(&mut self, objects: &Objects, plan: &Plan, extras: &Extras) -> Result<(), Refusal> {
        let mut all = self.clone();
        for ((service, routes), stables) in plan.routes.iter().zip(&plan.stables) {
            let known = extras.of(service.object);
            let mut edits = routes::edits(routes, stables);
            edits.extend(known.map(|known| without_owner(service, known)).into_iter().flatten());
            let text = all.edit(objects, service.object, &edits)?;
            if known.is_some_and(|known| known.own_host.is_some()) {
                text.owned.push(service.object.title());
            }
        }
        *self = all;
        Ok(())
    }

    /// Edits an object in its source text.
    pub fn edit(&mut self, objects: &Objects, object: &Object, edits: &[Edit]) -> Result<&mut Text, Refusal> {
        let lost = || Refusal::at(object, &object.node, "it cannot be found again in its text");
        let text = self.0.iter_mut().find(|text| Rc::ptr_eq(&text.old, &object.source)).ok_or_else(lost)?;
        let place = text.pieces.partition_point(|piece| piece.span.end < object.node.span.end);
        let piece =
            text.pieces.get(place).filter(|piece| piece.span.start <= object.node.span.start).ok_or_else(lost)?;
        let old = match text.new.get(&place) {
            Some(new) => Rc::clone(new),
            None => text.old.text.get(piece.span.clone()).ok_or_else(lost)?.into(),
        };
        // An earlier edit may have moved the object, so look for it in the current text.
        let span = match piece.item {
            Some(item) => item.of(&yaml::documents(&old).map_err(|_| lost())?).map(|node| node.span.clone()),
            None => {
                let is_there = |(source, node): &(&Rc<Source>, &Node)| {
                    piece.span.contains(&node.span.start) && Rc::ptr_eq(source, &object.source)
                };
                let number = nodes(objects).filter(is_there).position(|(_, node)| node.span == object.node.span);
                let now = read(&text.old.name, &old).map_err(|_| lost())?;
                number.and_then(|number| nodes(&now).nth(number).map(|(_, node)| node.span.clone()))
            }
        };
        let span = span.ok_or_else(lost)?;
        let new = edited(&old, &span, edits);
        // What comes after it begins a line.
        let new = new.map(|edited| edited.text).and_then(|new| {
            if new.ends_with('\n') || !old.ends_with('\n') { Ok(new) } else { Err(Refused::Unwritable) }
        });
        text.new.insert(place, new.map_err(|refused| refusal(object, edits, &refused))?.into());
        text.edited.push(object.title());
        Ok(text)
    }
}

impl Text {
    /// What is written: the text with all edits; of an export the edited objects.
    pub fn written(&self) -> String {
        if !self.is_export {
            return self.whole();
        }
        let edited: HashSet<&str> = self.edited.iter().map(String::as_str).collect();
        let parts = self.new.iter().filter_map(|(place, new)| Some((&**new, self.pieces.get(*place)?.item)));
        if !export::is_json(&self.old.text) {
            let documents =
                parts.flat_map(|(part, item)| export::documents(part, item, |title| edited.contains(title)));
            return stream::of(&documents.collect::<Vec<_>>());
        }
        let mut values: Vec<Value> =
            parts.flat_map(|(part, item)| export::values(part, item, |title| edited.contains(title))).collect();
        let all = match values.len() {
            1 => values.remove(0),
            _ => json!({"apiVersion": "v1", "kind": "List", "items": values}),
        };
        format!("{all:#}\n")
    }

    /// Whether the edited objects as they were have to be saved: no file has them, or one that could not be applied again.
    pub fn is_to_be_saved(&self) -> bool {
        let is_given = self.instead_of.is_empty() && self.owned != self.edited;
        is_given && (self.is_export || !files::is_file(&self.old.name))
    }

    /// The edited objects as they were, if they have to be saved.
    pub fn before(&self) -> Vec<String> {
        if !self.is_to_be_saved() {
            return Vec::new();
        }
        let edited: HashSet<&str> = self.edited.iter().map(String::as_str).collect();
        let pieces = self.new.keys().filter_map(|place| self.pieces.get(*place));
        let parts = pieces.filter_map(|piece| Some((self.old.text.get(piece.span.clone())?, piece.item)));
        parts.flat_map(|(part, item)| export::documents(part, item, |title| edited.contains(title))).collect()
    }

    /// The objects of an export that are not written.
    pub fn others(&self) -> Objects {
        let edited: HashSet<&str> = self.edited.iter().map(String::as_str).collect();
        let mut all = Objects::readable(&Unit { folder: String::new(), sources: vec![Rc::clone(&self.old)] });
        all.objects.retain(|object| !edited.contains(&*object.title()));
        all
    }

    /// The text with all edits so far.
    fn whole(&self) -> String {
        let mut all = String::new();
        let mut end = 0;
        for (place, piece) in self.pieces.iter().enumerate() {
            let Some(new) = self.new.get(&place) else { continue };
            all.push_str(self.old.text.get(end..piece.span.start).unwrap_or_default());
            all.push_str(new);
            end = piece.span.end;
        }
        all + self.old.text.get(end..).unwrap_or_default()
    }
}

/// All objects, of known and unknown kinds.
fn nodes(objects: &Objects) -> impl Iterator<Item = (&Rc<Source>, &Node)> {
    let unknown = objects.unknown.iter().map(|unknown| (&unknown.source, &unknown.node));
    objects.objects.iter().map(|object| (&object.source, &object.node)).chain(unknown)
}

/// Edits that remove what a VirtualService has only because of its owner.
fn without_owner(service: &VirtualService, known: &Known) -> Vec<Edit> {
    let mut edits = Vec::new();
    // The cluster would delete the VirtualService together with the owner that it names.
    if known.is_left && service.object.at(&["metadata", "ownerReferences"]).is_some() {
        edits.push(Edit::remove(fields(["metadata", "ownerReferences"])));
    }
    let hosts = service.object.items(&["spec", "hosts"]);
    let own = hosts.iter().position(|host| host.text().is_some() && host.text() == known.own_host.as_deref());
    if let Some(at) = own.filter(|_| hosts.len() > 1) {
        edits.push(Edit::remove([fields(["spec", "hosts"]), vec![at.into()]].concat()));
    }
    edits
}

/// Reads the objects of a text.
pub fn read(name: &str, text: &str) -> Result<Objects, String> {
    let source = Rc::new(Source::new(name, text));
    Objects::of(&Unit { folder: String::new(), sources: vec![source] })
}

fn refusal(object: &Object, edits: &[Edit], refused: &Refused) -> Refusal {
    let place = |at: &usize| edits.get(*at).map(|edit| Shown(&edit.path).to_string()).unwrap_or_default();
    let reason = match refused {
        Refused::Missing(at) => format!("{} is not written where it is read; edit it by hand", place(at)),
        Refused::Aliased(at, _) => {
            format!("{} is in or behind an alias, and says something elsewhere too; write it out, and convert again", place(at))
        }
        Refused::Unwritable => "it cannot be edited without changing more than that; is something in it read elsewhere by an alias? Write it out, and convert again".to_owned(),
    };
    Refusal::at(object, &object.node, reason)
}
