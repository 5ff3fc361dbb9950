//! The locations of a host, in the order in which nginx tries them.

use super::super::refusal::Refusal;
use super::read::Ingress;
use crate::input::yaml::Node;
use crate::world::World;
use crate::world::host::ServiceName;
use serde_json::{Value, json};

/// Hosts that share their locations, and so a VirtualService.
#[derive(Debug)]
pub struct Site<'i, 'o> {
    /// The names; `*` is every host.
    pub hosts: Vec<String>,
    /// The locations in the order in which nginx tries them.
    pub locations: Vec<Location<'i, 'o>>,
}

/// A path of an Ingress, and where its requests go.
#[derive(Clone, Debug)]
pub struct Location<'i, 'o> {
    /// The Ingress with this path.
    pub ingress: &'i Ingress<'o>,
    /// The entry of the Ingress.
    pub node: &'o Node,
    /// The path as written.
    pub path: String,
    /// How the path is compared.
    pub kind: Kind,
    /// The destination of its requests.
    pub backend: Backend,
    /// The canary for the same path.
    pub canary: Option<Canary<'i, 'o>>,
    /// The path that replaces the whole request path, from rewrite-target.
    pub rewrite: Option<String>,
    /// Whether ingress-nginx reads the host's paths as regexes, as it does if one of them is rewritten.
    pub is_loose: bool,
    /// Whether another location has the same path as Exact.
    pub has_exact: bool,
}

/// The canary of a location.
#[derive(Clone, Debug)]
pub struct Canary<'i, 'o> {
    /// The canary's Ingress.
    pub ingress: &'i Ingress<'o>,
    /// The destination of its requests.
    pub backend: Backend,
}

/// The `pathType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole path is the same.
    Exact,
    /// The path begins with these elements.
    Prefix,
    /// The path begins with these characters: ingress-nginx's ImplementationSpecific.
    Loose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub name: String,
    /// The number of the port.
    pub port: u32,
}

impl<'i, 'o> Site<'i, 'o> {
    /// The Ingresses with these locations, canaries included.
    pub fn ingresses(&self) -> Vec<&'i Ingress<'o>> {
        let mut all: Vec<&Ingress> = Vec::new();
        let of = |location: &Location<'i, 'o>| {
            [Some(location.ingress), location.canary.as_ref().map(|canary| canary.ingress)]
        };
        for ingress in self.locations.iter().flat_map(of).flatten() {
            if !all.iter().any(|known| std::ptr::eq(*known, ingress)) {
                all.push(ingress);
            }
        }
        all
    }
}

impl Location<'_, '_> {
    /// The location as match entries of a VirtualService.
    pub fn matches(&self) -> Vec<Value> {
        let trimmed = self.path.trim_end_matches('/');
        if self.is_loose && self.path != "/" {
            return vec![json!({"uri": {"prefix": self.path}, "ignoreUriCase": true})];
        }
        match self.kind {
            Kind::Exact if !self.is_loose => vec![json!({"uri": {"exact": self.path}})],
            Kind::Prefix if !trimmed.is_empty() => {
                let exact = Some(json!({"uri": {"exact": trimmed}})).filter(|_| !self.has_exact);
                exact.into_iter().chain([json!({"uri": {"prefix": format!("{trimmed}/")}})]).collect()
            }
            _ => vec![json!({"uri": {"prefix": self.path}})],
        }
    }

    /// Whether the location takes every path.
    pub fn takes_all(&self) -> bool {
        self.path == "/" && self.kind != Kind::Exact
    }

    /// Whether both locations are the same except for the host.
    fn is_same(&self, other: &Location) -> bool {
        let canary = match (&self.canary, &other.canary) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                one.ingress.object.identity() == other.ingress.object.identity() && one.backend == other.backend
            }
            _ => false,
        };
        canary
            && (&self.path, self.kind, &self.backend) == (&other.path, other.kind, &other.backend)
            && self.ingress.object.identity() == other.ingress.object.identity()
    }

    /// The sort key: nginx tries exact paths first, then longer ones before shorter ones.
    fn rank(&self) -> (bool, usize) {
        let is_exact = self.kind == Kind::Exact && !self.is_loose;
        let slash = usize::from(self.kind == Kind::Prefix && !self.path.ends_with('/'));
        (!is_exact, usize::MAX - self.path.len() - slash)
    }
}

/// The sites of a unit of Ingresses.
pub fn sites<'i, 'o>(
    unit: &[&'i Ingress<'o>],
    world: &World,
    notes: &mut Vec<String>,
) -> Result<Vec<Site<'i, 'o>>, Refusal> {
    let mut hosts: Vec<(String, Vec<Location>)> = Vec::new();
    for ingress in unit.iter().filter(|ingress| !ingress.is_canary) {
        for (host, location) in locations(ingress, world)? {
            let at = hosts.iter().position(|(known, _)| *known == host).unwrap_or_else(|| {
                hosts.push((host.clone(), Vec::new()));
                hosts.len() - 1
            });
            let Some((_, known)) = hosts.get_mut(at) else { continue };
            if let Some(first) = known.iter().find(|first| (&first.path, first.kind) == (&location.path, location.kind))
            {
                let reason = format!(
                    "path {} of {host} is in {} ({}) too; ingress-nginx takes that of the older one: remove the other",
                    location.path,
                    first.ingress.object.title(),
                    first.ingress.object.place()
                );
                return Err(Refusal::at(ingress.object, location.node, reason));
            }
            known.push(location);
        }
    }
    for ingress in unit.iter().filter(|ingress| ingress.is_canary) {
        pair(ingress, &mut hosts, world, notes)?;
    }
    for (_, locations) in &mut hosts {
        loosen(locations)?;
        let exact: Vec<String> =
            locations.iter().filter(|own| own.kind == Kind::Exact).map(|own| own.path.clone()).collect();
        for location in locations.iter_mut().filter(|location| location.kind == Kind::Prefix) {
            location.has_exact = exact.iter().any(|path| path == location.path.trim_end_matches('/'));
        }
        locations.sort_by_key(Location::rank);
    }
    let mut sites = together(hosts, notes);
    for ingress in unit.iter().filter(|ingress| !ingress.is_canary) {
        for alias in aliases(ingress)? {
            let is_known = sites.iter().any(|site| site.hosts.contains(&alias));
            let own = ingress.hosts();
            let site = sites.iter_mut().find(|site| site.hosts.iter().any(|host| own.contains(host)));
            site.filter(|_| !is_known).into_iter().for_each(|site| site.hosts.push(alias.clone()));
        }
    }
    Ok(sites)
}

/// Adds a canary to the locations of its main Ingress.
fn pair<'i, 'o>(
    ingress: &'i Ingress<'o>,
    hosts: &mut [(String, Vec<Location<'i, 'o>>)],
    world: &World,
    notes: &mut Vec<String>,
) -> Result<(), Refusal> {
    for (host, own) in locations(ingress, world)? {
        let Some((_, known)) = hosts.iter_mut().find(|(known, _)| *known == host) else {
            let reason = format!("no Ingress that is given is the main one of this canary: none is for {host}");
            return Err(Refusal::at(ingress.object, own.node, reason));
        };
        let Some(main) = known.iter_mut().find(|main| (&main.path, main.kind) == (&own.path, own.kind)) else {
            let (line, _) = ingress.object.source.position(own.node.span.start);
            let (file, title) = (&ingress.object.source.name, ingress.object.title());
            notes.push(format!(
                "{file}:{line}: {title}: path {} is not converted: no main Ingress for {host} has it, so ingress-nginx leaves it out too",
                own.path
            ));
            continue;
        };
        if let Some(first) = &main.canary {
            let reason = format!(
                "path {} of {host} has a canary already, {} ({}); ingress-nginx takes one: remove the other",
                own.path,
                first.ingress.object.title(),
                first.ingress.object.place()
            );
            return Err(Refusal::at(ingress.object, own.node, reason));
        }
        main.canary = Some(Canary { ingress, backend: own.backend });
    }
    Ok(())
}

/// Groups hosts with the same locations, so that they share a VirtualService.
fn together<'i, 'o>(hosts: Vec<(String, Vec<Location<'i, 'o>>)>, notes: &mut Vec<String>) -> Vec<Site<'i, 'o>> {
    let mut sites: Vec<Site> = Vec::new();
    for (host, locations) in hosts {
        wide(&host, &locations, notes);
        let is_same = |site: &Site| {
            let pairs = site.locations.iter().zip(&locations);
            site.locations.len() == locations.len() && pairs.into_iter().all(|(one, other)| one.is_same(other))
        };
        match sites.iter_mut().find(|site| is_same(site)) {
            Some(site) => site.hosts.push(host),
            None => sites.push(Site { hosts: vec![host], locations }),
        }
    }
    sites
}

/// Notes paths that lose a canary: ingress-nginx applies a canary to all paths of the same Service.
fn wide(host: &str, locations: &[Location], notes: &mut Vec<String>) {
    for location in locations.iter().filter(|location| location.canary.is_none()) {
        let other = locations.iter().find(|other| other.canary.is_some() && other.backend == location.backend);
        if let Some(other) = other {
            notes.push(format!(
                "{host}{}: ingress-nginx has one canary for all paths of Service {}:{}, so that of {} too; here it has none, as the Ingresses say",
                location.path, location.backend.name, location.backend.port, other.path
            ));
        }
    }
}

fn locations<'i, 'o>(ingress: &'i Ingress<'o>, world: &World) -> Result<Vec<(String, Location<'i, 'o>)>, Refusal> {
    let mut all = Vec::new();
    let location = |node: &'o Node, path: &str, kind, backend| Location {
        ingress,
        node,
        path: path.to_owned(),
        kind,
        backend,
        canary: None,
        rewrite: None,
        is_loose: false,
        has_exact: false,
    };
    let fallback = ingress.object.at(&["spec", "defaultBackend"]);
    for (host, rule) in ingress.rules() {
        let mut own = Vec::new();
        for node in rule.at(&["http", "paths"]).map_or(&[][..], Node::items) {
            let path = node.get("path").and_then(Node::text).filter(|path| !path.is_empty()).unwrap_or("/");
            let kind = match node.get("pathType").and_then(Node::text) {
                Some("Exact") => Kind::Exact,
                Some("Prefix") => Kind::Prefix,
                _ => Kind::Loose,
            };
            let backend = backend(ingress, node, node.get("backend"), world)?;
            own.push(location(node, path, kind, backend));
        }
        if let Some(node) = fallback.filter(|_| !ingress.is_canary && !own.iter().any(Location::takes_all)) {
            own.push(location(node, "/", Kind::Loose, backend(ingress, node, Some(node), world)?));
        }
        all.extend(own.into_iter().map(|location| (host.clone(), location)));
    }
    if let Some(node) = fallback.filter(|_| ingress.rules().is_empty()) {
        all.push(("*".to_owned(), location(node, "/", Kind::Loose, backend(ingress, node, Some(node), world)?)));
    }
    Ok(all)
}

/// Further hosts with the same paths, from server-alias.
fn aliases(ingress: &Ingress) -> Result<Vec<String>, Refusal> {
    let Some(said) = ingress.get("server-alias") else { return Ok(Vec::new()) };
    let names = said.text.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    let names: Vec<String> = names.collect();
    if names.iter().any(|name| name.contains(['~', '^', '$', '(', '\\'])) {
        return Err(ingress.refuse(&said, "a regex for hosts, which no VirtualService can have; name the hosts"));
    }
    Ok(names)
}

fn backend(ingress: &Ingress, at: &Node, backend: Option<&Node>, world: &World) -> Result<Backend, Refusal> {
    let object = ingress.object;
    let service = backend.and_then(|backend| backend.get("service"));
    let Some((service, name)) = service.and_then(|service| Some((service, service.get("name")?.text()?))) else {
        return Err(Refusal::at(
            object,
            backend.unwrap_or(at),
            "no Service is behind this path, so there is no destination for it",
        ));
    };
    let backend = |port| Backend { namespace: object.namespace.clone(), name: name.to_owned(), port };
    let port = service.get("port");
    if let Some(number) = port.and_then(|port| port.get("number")).and_then(Node::number) {
        return Ok(backend(number));
    }
    let Some((node, port)) = port.and_then(|port| port.get("name")).and_then(|node| Some((node, node.text()?))) else {
        return Err(Refusal::at(object, service, format!("Service {name} has no port here; name one")));
    };
    let given = world.services_called(&ServiceName { name, namespace: &object.namespace });
    let ports = given.iter().flat_map(|service| service.object.items(&["spec", "ports"]));
    let mut numbers = ports.filter(|own| own.get("name").and_then(Node::text) == Some(port));
    match numbers.find_map(|own| own.get("port")?.number()) {
        Some(number) => Ok(backend(number)),
        None if given.is_empty() => {
            let reason = format!(
                "port {port} of Service {name} has a name, and a destination needs its number; give the Service too"
            );
            Err(Refusal::at(object, node, reason))
        }
        None => Err(Refusal::at(object, node, format!("Service {name} has no port {port}"))),
    }
}

/// Reads rewrite-target, and marks the host's paths as regexes if one of them is rewritten.
///
/// ingress-nginx then reads all of them as case-insensitive regexes for the beginning of the path.
fn loosen(locations: &mut [Location]) -> Result<(), Refusal> {
    for location in locations.iter_mut() {
        let Some(said) = location.ingress.get("rewrite-target") else { continue };
        if said.text.contains('$') {
            return Err(location
                .ingress
                .refuse(&said, "groups of a regex; write the routes and their rewrite by hand"));
        }
        location.rewrite = Some(said.text.to_owned()).filter(|target| *target != location.path);
    }
    if locations.iter().all(|location| location.rewrite.is_none()) {
        return Ok(());
    }
    for location in locations.iter_mut() {
        location.is_loose = true;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_~.".contains(c);
        if !location.path.chars().all(is_plain) {
            let reason = format!(
                "path {} is a regex to ingress-nginx, since a path of this host is rewritten; write the routes by hand",
                location.path
            );
            return Err(Refusal::at(location.ingress.object, location.node, reason));
        }
    }
    Ok(())
}
