//! Higress's traffic-tag plugin, which writes a header by conditions and weights, as this filter does.

use super::extra::{Extra, Leave, pairs};
use super::gateway::{self, Home};
use super::ingress::anywhere;
use super::refusal::Refusal;
use super::rule::{Rule, Split, Target, name, unique};
use super::unit::Unit;
use crate::input::manifest::{Object, Objects};
use crate::input::yaml::{Node, Value as Said};
use crate::world::World;
use crate::world::namespace::ROOT_NAMESPACE;
use canary_split::subset::is_label;
use serde_json::{Value, json};

/// The subset name for requests that traffic-tag would leave without a tag.
const REST: &str = "stable";

/// A traffic-tag plugin, converted.
#[derive(Debug)]
pub struct Tag {
    /// The WasmPlugin as it was read.
    pub object: Object,
    /// The header that the plugin writes.
    pub header: String,
    /// The rules that replace the plugin.
    pub rules: Vec<Rule>,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Converts every traffic-tag plugin.
pub fn of(objects: &Objects) -> Vec<Result<Tag, Refusal>> {
    let higress = objects.unknown.iter().filter(|unknown| unknown.kind() == ("extensions.higress.io", "WasmPlugin"));
    let higress = higress.map(|unknown| unknown.object("WasmPlugin"));
    let all = higress.chain(objects.of_kind("WasmPlugin").cloned());
    all.filter(is_one).map(|object| Reading::of(&object).and_then(|reading| reading.tag(&object))).collect()
}

fn is_one(object: &Object) -> bool {
    let has = |path: &[&str]| object.text(path).is_some_and(|text| text.contains("traffic-tag"));
    has(&["spec", "url"]) || has(&["spec", "pluginName"]) || object.name.contains("traffic-tag")
}

impl Tag {
    /// The object's title, with `(traffic-tag)` if the name does not show it.
    pub fn title(&self) -> String {
        let title = self.object.title();
        if title.contains("traffic-tag") { title } else { format!("{title} (traffic-tag)") }
    }

    /// The gateways whose routes match on the header. Without such routes, Istio's default gateway.
    pub fn homes(&self, world: &World, notes: &mut Vec<String>) -> Vec<Home> {
        let roots: Vec<_> = world.virtual_services().filter(|service| service.asks_for(&self.header)).collect();
        let homes = gateway::homes(world, &Unit { roots, delegates: Vec::new() }, notes);
        if !homes.is_empty() {
            return homes;
        }
        notes.push(format!(
            "no VirtualService that is given asks for {}: the plugin is for pods with istio: ingressgateway; change spec.selector if that is not the gateway",
            self.header
        ));
        let labels = vec![("istio".to_owned(), "ingressgateway".to_owned())];
        vec![Home { namespace: ROOT_NAMESPACE.to_owned(), labels, aim: None }]
    }

    /// How the plugin is removed.
    pub fn leaves(&self) -> Leave {
        let Object { namespace, name, .. } = &self.object;
        let group = self.object.text(&["apiVersion"]).and_then(|version| version.split('/').next()).unwrap_or_default();
        let place = if namespace.is_empty() { String::new() } else { format!("-n {namespace} ") };
        Leave {
            step: format!("kubectl {place}delete wasmplugins.{group} {name}"),
            back: format!("apply {} again", self.object.title()),
            object: self.object.clone(),
        }
    }
}

/// The result while a plugin is being read.
struct Reading {
    header: Option<String>,
    rules: Vec<Rule>,
    notes: Vec<String>,
    /// The subset name for requests without a tag.
    rest: String,
    is_rest_used: bool,
}

/// The text under a key, with its node. Missing or empty text is refused.
fn text<'n>(object: &Object, node: &'n Node, key: &str) -> Result<(&'n Node, &'n str), Refusal> {
    let found = node.get(key).and_then(|own| Some((own, own.text()?))).filter(|(_, text)| !text.is_empty());
    found.ok_or_else(|| {
        Refusal::at(object, node, format!("{key} is no text or missing, so the plugin refuses this config itself"))
    })
}

impl Reading {
    fn of(object: &Object) -> Result<Reading, Refusal> {
        let mut reading =
            Reading { header: None, rules: Vec::new(), notes: Vec::new(), rest: REST.to_owned(), is_rest_used: false };
        let is_off = |node: &Node, key: &str| node.get(key).is_some_and(Node::is_true);
        let spec = object.at(&["spec"]).unwrap_or(&object.node);
        let default = spec.get("defaultConfig").or_else(|| spec.get("pluginConfig"));
        let default = default.filter(|_| !is_off(spec, "defaultConfigDisable"));
        reading.name_rest(spec);
        for entry in spec.get("matchRules").map_or(&[][..], Node::items) {
            for key in ["ingress", "service"] {
                if let Some(node) = entry.get(key).filter(|node| !node.items().is_empty()) {
                    return Err(Refusal::at(
                        object,
                        node,
                        format!("a rule is for hosts, and not for an {key}; write domain instead"),
                    ));
                }
            }
            let hosts = entry.get("domain").map_or(&[][..], Node::items).iter().filter_map(Node::text);
            let hosts: Vec<String> = hosts.map(str::to_ascii_lowercase).collect();
            let config = entry.get("config").filter(|_| !is_off(entry, "configDisable"));
            let is_total = config.map_or(Ok(false), |config| reading.add(object, config, &hosts))?;
            // traffic-tag does not use the default config for a host with its own: this rule takes that host's other requests.
            if !is_total && default.is_some() {
                let rest = reading.rest();
                reading.push(object, "rest", &hosts, Vec::new(), Target::Asked(rest));
            }
        }
        if let Some(config) = default {
            reading.add(object, config, &[])?;
        }
        Ok(reading)
    }

    fn tag(self, object: &Object) -> Result<Tag, Refusal> {
        let (Some(header), false) = (self.header, self.rules.is_empty()) else {
            return Err(Refusal::at(
                object,
                &object.node,
                "no conditionGroups, weightGroups or default tag: it writes nothing",
            ));
        };
        let mut notes = self.notes;
        let (title, place) = (object.title(), object.place());
        if self.is_rest_used {
            notes.push(format!(
                "{place}: {title}: requests that had no tag have {header}: {} now; routes that ask for nothing take them as before",
                self.rest
            ));
        }
        notes.push(format!(
            "{place}: {title}: a client's own {header} passed traffic-tag; the filter takes it away, so who sends it by hand needs a rule with another header"
        ));
        Ok(Tag { object: object.clone(), header, rules: self.rules, notes })
    }

    /// Picks a subset name that no tag has.
    fn name_rest(&mut self, spec: &Node) {
        let json = spec.to_json();
        let is_taken = |name: &str| json.contains(&format!("\"headerValue\":\"{name}\""));
        self.rest = unique(REST, is_taken);
    }

    fn rest(&mut self) -> String {
        self.is_rest_used = true;
        self.rest.clone()
    }

    fn push(&mut self, object: &Object, end: &str, hosts: &[String], matches: Vec<Value>, target: Target) {
        let base = name(&object.name);
        let own = if end.is_empty() { base } else { format!("{base}-{end}") };
        let name = unique(&own, |name| self.rules.iter().any(|rule| rule.name == name));
        self.rules.push(Rule { name, hosts: hosts.to_vec(), matches, target });
    }

    /// Refuses a second header: a plugin of this filter writes only one.
    fn header(&mut self, object: &Object, node: &Node, said: &str) -> Result<(), Refusal> {
        let own = said.to_ascii_lowercase();
        match &self.header {
            Some(known) if *known != own => Err(Refusal::at(
                object,
                node,
                format!(
                    "{said} is another header than {known}, and a plugin of this filter writes one; give each header a plugin of its own"
                ),
            )),
            _ => {
                self.header = Some(own);
                Ok(())
            }
        }
    }

    /// Reads the tag of an entry, and checks its header.
    fn value(&mut self, object: &Object, entry: &Node) -> Result<String, Refusal> {
        let (node, header) = text(object, entry, "headerName")?;
        self.header(object, node, header)?;
        let (node, value) = text(object, entry, "headerValue")?;
        label(object, node, value)
    }

    /// Adds the rules of a config. Returns whether they cover every request.
    fn add(&mut self, object: &Object, config: &Node, hosts: &[String]) -> Result<bool, Refusal> {
        let default = match (config.get("defaultTagKey"), config.get("defaultTagVal")) {
            (Some(key), Some(value)) => match (key.text(), value.text()) {
                (Some(header), Some(said)) if !header.is_empty() && !said.is_empty() => {
                    self.header(object, key, header)?;
                    Some(label(object, value, said)?)
                }
                _ => None,
            },
            _ => None,
        };
        let weights = config.get("weightGroups").map_or(&[][..], Node::items);
        let groups = config.get("conditionGroups").map_or(&[][..], Node::items);
        for (at, group) in groups.iter().enumerate() {
            let is_last = at + 1 == groups.len() && weights.is_empty();
            self.group(object, group, hosts, default.as_deref(), is_last)?;
        }
        if weights.is_empty() {
            let Some(default) = default else { return Ok(false) };
            self.push(object, "default", hosts, Vec::new(), Target::Asked(default));
            return Ok(true);
        }
        let mut split: Vec<(String, u32)> = Vec::new();
        let mut left = 100u32;
        for entry in weights {
            let value = self.value(object, entry)?;
            let node = entry.get("weight").unwrap_or(entry);
            let weight = node.number().filter(|weight| *weight <= left).ok_or_else(|| {
                Refusal::at(
                    object,
                    node,
                    format!(
                        "{} is no weight that is left of 100, so the plugin refuses this config itself",
                        node.to_json()
                    ),
                )
            })?;
            left -= weight;
            match split.iter_mut().find(|(known, _)| *known == value) {
                Some((_, known)) => *known += weight,
                None => split.push((value, weight)),
            }
        }
        if left > 0 {
            let rest = default.unwrap_or_else(|| self.rest());
            match split.iter().position(|(known, _)| *known == rest) {
                Some(at) => {
                    let (_, weight) = split.remove(at);
                    split.insert(0, (rest, weight + left));
                }
                None => split.insert(0, (rest, left)),
            }
        } else if let Some((at, _)) = split.iter().enumerate().rev().max_by_key(|(_, (_, weight))| *weight) {
            let stable = split.remove(at);
            split.insert(0, stable);
        }
        let names = split.iter().map(|(name, _)| name.clone()).collect();
        self.push(
            object,
            "",
            hosts,
            Vec::new(),
            Target::Split(Split { weights: split, names, extra: Extra::default() }),
        );
        Ok(true)
    }

    fn group(
        &mut self,
        object: &Object,
        group: &Node,
        hosts: &[String],
        default: Option<&str>,
        is_last: bool,
    ) -> Result<(), Refusal> {
        let value = self.value(object, group)?;
        let (node, logic) = text(object, group, "logic")?;
        let is_any = match &*logic.to_ascii_lowercase() {
            "and" => false,
            "or" => true,
            _ => return Err(Refusal::at(object, node, format!("logic {logic:?} is neither and nor or"))),
        };
        let conditions = group.get("conditions").map_or(&[][..], Node::items);
        let mut matches: Vec<Value> = Vec::new();
        let mut part = None;
        for (at, node) in conditions.iter().enumerate() {
            let condition = Condition::of(object, node)?;
            if condition.operator == "percentage" {
                if !is_last || part.is_some() || is_any && conditions.len() > 1 {
                    let reason = "a percentage is a split, and who is not in it would have to go on to what is behind; that can be said for the last conditionGroup, with logic: and, and without weightGroups";
                    return Err(Refusal::at(object, node, reason));
                }
                part = Some((condition.percentage(object)?, condition.key()));
            }
            let own = condition.entries(object, &mut self.notes)?;
            matches = if is_any {
                [matches, own].concat()
            } else if at == 0 {
                own
            } else {
                pairs(&matches, &own).ok_or_else(|| {
                    Refusal::at(
                        object,
                        node,
                        format!(
                            "two conditions for {} {}: a match has one for each name",
                            condition.kind, condition.name
                        ),
                    )
                })?
            };
        }
        if conditions.is_empty() {
            return Err(Refusal::at(object, group, "without conditions it never holds; remove it"));
        }
        let target = match part {
            None => Target::Asked(value.clone()),
            Some((percent, key)) => {
                let rest = default.map_or_else(|| self.rest(), str::to_owned);
                let weights = vec![(rest, 100 - percent), (value.clone(), percent)];
                let names = weights.iter().map(|(name, _)| name.clone()).collect();
                let (line, _) = object.source.position(group.span.start);
                self.notes.push(format!(
                    "{}:{line}: {}: the share of {value} is the same, and other visitors are in it: the filter draws by another hash",
                    object.source.name,
                    object.title()
                ));
                Target::Split(Split { weights, names, extra: Extra { keys: vec![key], ..Extra::default() } })
            }
        };
        self.push(object, &value, hosts, matches, target);
        Ok(())
    }
}

fn label(object: &Object, node: &Node, value: &str) -> Result<String, Refusal> {
    if is_label(value.as_bytes()) {
        return Ok(value.to_owned());
    }
    Err(Refusal::at(
        object,
        node,
        format!("a rule cannot name a subset {value}: lower-case letters, digits and - alone; rename the tag"),
    ))
}

/// One condition of a conditionGroup.
struct Condition<'n> {
    node: &'n Node,
    /// `header`, `cookie` or `parameter`.
    kind: String,
    name: String,
    operator: String,
    values: Vec<String>,
}

impl<'n> Condition<'n> {
    fn of(object: &Object, node: &'n Node) -> Result<Condition<'n>, Refusal> {
        let (at, kind) = text(object, node, "conditionType")?;
        let kind = kind.to_ascii_lowercase();
        let (place, name) = text(object, node, "key")?;
        let name = if kind == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
        if !["header", "cookie", "parameter"].contains(&&*kind) {
            return Err(Refusal::at(object, at, format!("conditionType {kind:?} is unknown")));
        }
        if kind == "header" && name.starts_with(':') {
            return Err(Refusal::at(
                object,
                place,
                format!("{name} is no header of a rule; write uri or method into the match by hand"),
            ));
        }
        let (_, operator) = text(object, node, "operator")?;
        let values = node.get("value").map(|value| match &value.value {
            Said::List(items) => items.iter().filter_map(Node::name).map(|value| value.to_string()).collect(),
            _ => value.name().map(|value| vec![value.to_string()]).unwrap_or_default(),
        });
        Ok(Condition { node, kind, name, operator: operator.to_ascii_lowercase(), values: values.unwrap_or_default() })
    }

    fn percentage(&self, object: &Object) -> Result<u32, Refusal> {
        let value = self.values.first().and_then(|value| value.parse().ok()).filter(|percent| *percent <= 100);
        value.ok_or_else(|| Refusal::at(object, self.node, "no whole percentage from 0 to 100"))
    }

    /// The rule key that draws are hashed from.
    fn key(&self) -> Value {
        let kind = if self.kind == "parameter" { "queryParam" } else { &self.kind };
        json!({kind: self.name})
    }

    /// The condition as match entries, of which one must hold.
    fn entries(&self, object: &Object, notes: &mut Vec<String>) -> Result<Vec<Value>, Refusal> {
        let field = match &*self.kind {
            "header" => "headers",
            "cookie" => "cookies",
            _ => "queryParams",
        };
        let asks = |asked: Value| json!({field: {&*self.name: asked}});
        let only = |what: &str| {
            Refusal::at(
                object,
                self.node,
                format!("{} of a {}: a rule can say that of headers alone{what}", self.operator, self.kind),
            )
        };
        let value = || {
            self.values.first().ok_or_else(|| {
                Refusal::at(
                    object,
                    self.node,
                    format!("{} without a value, so the plugin refuses this config itself", self.operator),
                )
            })
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if self.kind == "parameter" && !self.values.iter().all(|value| value.chars().all(is_plain)) {
            let (line, _) = object.source.position(self.node.span.start);
            let note = "a rule compares parameters as they are in the URL, while traffic-tag decodes them; write the value as browsers send it";
            notes.push(format!("{}:{line}: {}: {note}", object.source.name, object.title()));
        }
        let without = |asked: Value| json!([{"headers": {&*self.name: {}}, "withoutHeaders": {&*self.name: asked}}]);
        let list = match &*self.operator {
            "equal" => json!([asks(json!({"exact": value()?}))]),
            "prefix" => json!([asks(json!({"prefix": value()?}))]),
            "exists" | "percentage" => json!([asks(json!({}))]),
            "regex" => {
                let regex = anywhere(value()?).map_err(|why| {
                    Refusal::at(object, self.node, format!("the filter cannot have this regex ({why})"))
                })?;
                json!([asks(json!({"regex": regex}))])
            }
            "in" => {
                value()?;
                self.values.iter().map(|value| asks(json!({"exact": value}))).collect()
            }
            "not_equal" if self.kind == "header" => without(json!({"exact": value()?})),
            "not_in" if self.kind == "header" => match &*self.values {
                [one] => without(json!({"exact": one})),
                _ => {
                    value()?;
                    let all: Vec<String> = self.values.iter().map(|value| quoted(value)).collect();
                    without(json!({"regex": all.join("|")}))
                }
            },
            "not_exists" if self.kind == "header" => json!([{"withoutHeaders": {&*self.name: {}}}]),
            "not_equal" | "not_in" | "not_exists" => return Err(only("")),
            other => return Err(Refusal::at(object, self.node, format!("operator {other:?} is unknown"))),
        };
        Ok(list.as_array().cloned().unwrap_or_default())
    }
}

/// Escapes text for a regex.
fn quoted(text: &str) -> String {
    let special = |c: char| "\\.+*?()|[]{}^$".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}
