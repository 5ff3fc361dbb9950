//! `explain`: what the filter decides about a request, and why.

mod claims;
mod cookie;
mod draw;
mod explanation;
mod passed;
mod print;
mod remembered;
mod request;
mod routed;
mod secrets;
mod shown;
mod url;

use crate::cluster::access::Access;
use crate::cluster::inventory::{Extent, Inventory};
use crate::input::choice::{choose, read, shown};
use crate::input::manifest::{Objects, PluginConfig};
use crate::input::time;
use crate::input::unreadable::{self, Unreadable};
use crate::report::fault::{self, FaultAt};
use crate::report::output::Output;
use crate::report::plan;
use crate::report::share::{DRAWS, Share};
use crate::world::plugin::Plugin;
use crate::world::together::Worlds;
use crate::world::{World, parts};
use canary_split::config::Config;
use canary_split::decide::{Answer, Choice, Decision, answer};
use canary_split::metrics;
use canary_split::reload::State;
use canary_split::rollout::ramp::Second;
use canary_split::rule::Target;
use canary_split::split::Draw;
use canary_split::subset::Subset;
use canary_split::visitor::cookie::Minutes;
use canary_split::visitor::new_cookie::NewCookie;
use cookie::Decoded;
use draw::Chance;
use explanation::{Explanation, SetCookie, Written};
use request::Seen;
pub use request::Spelled;
use routed::Decided;
use serde_json::Value;
use shown::masked;
use std::cell::Cell;
use std::io::Write;
use std::path::PathBuf;

/// What to explain.
#[derive(clap::Args)]
pub struct Options {
    /// Read this file or folder with the WasmPlugin and its routes, a bare pluginConfig, or - for the standard input, instead of the cluster
    #[arg(short = 'f', long, visible_alias = "filename", value_name = "FILE", help_heading = "Where")]
    config: Option<PathBuf>,
    /// Choose the WasmPlugin, if there are several: NAME or NAMESPACE/NAME
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    plugin: Option<String>,
    /// Use this draw where chance decides, in hex; without it the shares are printed
    #[arg(long, value_name = "HEX8", value_parser = read_draw)]
    draw: Option<Draw>,
    /// Use this time instead of the clock's, as in 2026-12-01T09:00:00Z or in seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time::read)]
    now: Option<Second>,
    /// Show seals and what headers, cookies, query parameters and claims are compared with, instead of ***
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    request: Spelled,
    #[command(flatten)]
    access: Access,
}

/// Prints the decision; the exit code.
pub fn run(options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    if let Some(cookies) = options.request.cookies()? {
        return decode(&cookies, options, output, out);
    }
    let mut request = options.request.read()?;
    let (written, unreadable, inventory) = configured(options)?;
    let evaluation = State::default().evaluate(written.json().as_bytes());
    let now = time::or_clock(options.now);
    let mut explanation = explain_way(&evaluation.config, &written, &mut request, &inventory, options.draw, now)
        .map_err(|Needs::Address| "the decision goes by the client's address; give it by --client-ip".to_owned())?;
    if options.show_secrets {
        secrets::unmask(&mut explanation, &written);
    } else {
        secrets::mask(&mut explanation);
    }
    if !written.source.is_living {
        explanation.notes.extend(inventory.notes);
    }
    explanation.faults = FaultAt::all(&written, &evaluation.faults);
    explanation.unreadable = unreadable;
    let done = match output {
        Output::Json => writeln!(out, "{:#}", serde_json::to_value(&explanation).unwrap_or_default()),
        Output::Text { .. } => print::print(&explanation, out),
    };
    done.map_err(|error| error.to_string())?;
    fault::warn(&explanation.faults);
    unreadable::warn(&explanation.unreadable);
    Ok(if explanation.unreadable.is_empty() { u8::from(!explanation.faults.is_empty()) } else { 2 })
}

/// What is missing for an answer.
enum Needs {
    /// The client's address.
    Address,
}

/// The decision about a request, the reasons, and where the request goes as far as that is known.
fn explain_way(
    config: &Config,
    written: &PluginConfig,
    request: &mut Seen,
    inventory: &Inventory,
    draw: Option<Draw>,
    now: Second,
) -> Result<Explanation, Needs> {
    let (mut explanation, decided) = explain(config, written, request, draw, now);
    let (world, plugin) = (World::of(&inventory.objects), Plugin::new(written.clone()));
    // The cluster has all routes, files may have some.
    if written.source.is_living || routed::is_served(&world, &plugin, request) {
        explanation.routes = routed::routes(&world, &plugin, request, &decided, &inventory.pods);
    }
    if request.needs_address { Err(Needs::Address) } else { Ok(explanation) }
}

/// The answer to a question of the dashboard.
pub struct Answered {
    /// For programs.
    pub json: Value,
    /// For people.
    pub text: String,
    /// The rule that decides.
    pub rule: Option<String>,
    /// The visitor's draw, if it is known.
    pub draw: Option<Draw>,
}

/// What a request gets by a config, and where it goes; without secrets.
pub fn answer_about(
    spelled: &Spelled,
    written: &PluginConfig,
    inventory: &Inventory,
    now: Second,
) -> Result<Answered, String> {
    let mut request = spelled.read()?;
    let evaluation = State::default().evaluate(written.json().as_bytes());
    let mut explanation = explain_way(&evaluation.config, written, &mut request, inventory, None, now)
        .map_err(|Needs::Address| "the decision goes by the client's address; give it too".to_owned())?;
    secrets::mask(&mut explanation);
    explanation.faults = FaultAt::all(written, &evaluation.faults);
    let mut text = Vec::new();
    print::print(&explanation, &mut text).map_err(|error| error.to_string())?;
    Ok(Answered {
        json: serde_json::to_value(&explanation).unwrap_or_default(),
        text: String::from_utf8_lossy(&text).into_owned(),
        draw: explanation.draw.as_deref().and_then(|draw| read_draw(draw).ok()),
        rule: explanation.rule,
    })
}

/// The config to ask, the files next to it that could not be read, and the cluster or files that it is from.
fn configured(options: &Options) -> Result<(PluginConfig, Vec<Unreadable>, Inventory), String> {
    match &options.config {
        Some(path) => {
            options.access.go_with_files()?;
            let given = read(path)?;
            let written = choose(&shown(path), &given.configs, options.plugin.as_deref())
                .inspect_err(|_| unreadable::warn(&given.unreadable))?;
            let parts = given.units.iter().flat_map(|unit| parts::of(unit, &mut Vec::new()));
            let (objects, versions) = Worlds::of(parts.collect()).with(&written.source);
            let mut inventory = Inventory::of_files(objects, Vec::new());
            inventory.notes.extend((!versions.is_empty()).then(|| of_versions(&versions)));
            Ok((written, given.unreadable, inventory))
        }
        None => {
            let namespace = options.access.namespace.as_deref();
            let inventory = options
                .access
                .run_without_files(|client| async move { Inventory::read(&client, namespace, Extent::All).await })?;
            let configs: Vec<_> = inventory.objects.configs().collect();
            Ok((choose("the cluster", &configs, options.plugin.as_deref())?, Vec::new(), inventory))
        }
    }
}

/// The note that routes may be in versions of which only one is applied.
fn of_versions(folders: &[String]) -> String {
    let folders = folders.join(", ");
    format!(
        "{folders} are versions of which one is applied, so their routes were not read; to see the route, give a folder with the plugin and one of them"
    )
}

/// Prints the content of cookies; the exit code.
fn decode(cookies: &[cookie::Given], options: &Options, output: Output, out: &mut impl Write) -> Result<u8, String> {
    let now = time::or_clock(options.now);
    let (written, unreadable, _) = configured(options)?;
    let evaluation = State::default().evaluate(written.json().as_bytes());
    let decoded: Vec<Decoded> = cookies.iter().map(|cookie| cookie.decode(&evaluation.config, now)).collect();
    let faults = FaultAt::all(&written, &evaluation.faults);
    let done = match output {
        Output::Json => writeln!(out, "{:#}", serde_json::json!({"file": written.source.name, "cookies": decoded})),
        Output::Text { .. } => decoded.iter().enumerate().try_for_each(|(number, cookie)| {
            if number > 0 {
                writeln!(out)?;
            }
            cookie.print(&written.source.name, out)
        }),
    };
    done.map_err(|error| error.to_string())?;
    fault::warn(&faults);
    unreadable::warn(&unreadable);
    let is_all_read = decoded.iter().all(|cookie| !cookie.rules.is_empty());
    Ok(if unreadable.is_empty() { u8::from(!faults.is_empty() || !is_all_read) } else { 2 })
}

/// What a visitor who comes to a URL for the first time gets by these objects, and where the request goes, as people read it; `None`:
/// it depends on more than that, or no Gateway serves it.
pub fn of_first_visit(objects: &Objects, config: &PluginConfig, url: &str) -> Option<String> {
    let mut request = Seen::visiting(url).ok()?;
    let evaluation = State::default().evaluate(config.json().as_bytes());
    let now = time::or_clock(None);
    let (mut explanation, decided) = explain(&evaluation.config, config, &mut request, None, now);
    if request.needs_address {
        return None;
    }
    // What is true at this minute alone says nothing about the config.
    explanation.ramp = None;
    if let Some(cookie) = &mut explanation.set_cookie {
        let now = format!(".{:07x}", Minutes::of_seconds(now.0).0);
        cookie.value = cookie.value.replacen(&now, ".MINUTES", 1);
    }
    let (world, plugin) = (World::of(objects), Plugin::new(config.clone()));
    explanation.routes = routed::routes(&world, &plugin, &request, &decided, &[]);
    if explanation.routes.iter().any(|routed| routed.instead == Some(routed::NOT_SERVED)) {
        return None;
    }
    secrets::mask(&mut explanation);
    let mut text = Vec::new();
    print::print(&explanation, &mut text).ok()?;
    String::from_utf8(text).ok()
}

fn explain(
    config: &Config,
    written: &PluginConfig,
    request: &mut Seen,
    draw: Option<Draw>,
    second: Second,
) -> (Explanation, Vec<Decided>) {
    let chance = Cell::new(Chance::Unasked);
    let fresh = || {
        chance.set(draw.map_or(Chance::Open, Chance::Given));
        draw.unwrap_or(Draw(0))
    };
    let now = Minutes::of_seconds(second.0);
    let Answer { decision, forgotten } = answer(config, request, fresh, || second);
    let before = decision.as_ref().map_or(config.rules.len(), |decision| decision.rule_at);
    let passed = passed::passed(config, before, written, request, now);
    let mut explanation = Explanation {
        file: written.source.name.clone(),
        passed,
        rule: None,
        at: None,
        weights: None,
        ramp: None,
        source: metrics::source(decision.as_ref().map(|decision| decision.source)),
        draw: None,
        from: None,
        subset: None,
        shares: Vec::new(),
        header: Written { name: config.header.clone(), value: None },
        position_headers: config
            .position_headers
            .iter()
            .map(|name| Written { name: name.clone(), value: None })
            .collect(),
        set_cookie: None,
        forgotten: forgotten.into_iter().map(|cookie| set_cookie(cookie, false)).collect(),
        response_header: None,
        routes: Vec::new(),
        cookies: Vec::new(),
        notes: Vec::new(),
        ignored: Vec::new(),
        is_living: written.source.is_living,
        faults: Vec::new(),
        unreadable: Vec::new(),
    };
    if !request.missed_claims.is_empty() {
        let claims: Vec<&str> = request.missed_claims.iter().map(String::as_str).collect();
        let claims = claims.join(", ");
        explanation.notes.push(format!(
            "the claim {claims} is read and none is given: this is a request without a token; --claims adds one"
        ));
    }
    let Some(decision) = decision else { return (explanation, vec![Decided::default()]) };
    let (draw, from) = draw::origin(&decision, chance.get(), request);
    let is_open = chance.get() == Chance::Open;
    let decided = decided(&decision, is_open, second);
    explanation.shares = if is_open { draw::candidates(decision.rule, second) } else { Vec::new() };
    // A subset with all draws is certain.
    let all = explanation.shares.iter().find(|candidate| candidate.share == Share::of_draws(DRAWS));
    match decision.choice {
        Choice::Subset(subset) => {
            let certain = match (is_open, all) {
                (false, _) => Some((subset.name.to_string(), masked(subset))),
                (true, Some(all)) => Some((all.subset.clone(), all.header_value.clone())),
                (true, None) => None,
            };
            let any = || {
                let is_sealed = subset.header_value != subset.name;
                ("SUBSET".to_owned(), if is_sealed { "SUBSET.***".to_owned() } else { "SUBSET".to_owned() })
            };
            explanation.subset = certain.as_ref().map(|(name, _)| name.clone());
            let (name, value) = certain.unwrap_or_else(any);
            explanation.header.value = Some(value);
            explanation.response_header =
                config.response_header.clone().map(|header| Written { name: header, value: Some(name) });
        }
        Choice::Position(header, position) => {
            let value = if is_open { "POSITION".to_owned() } else { position.to_string() };
            let own = explanation.position_headers.iter_mut().find(|own| own.name == header);
            own.into_iter().for_each(|own| own.value = Some(value.clone()));
            explanation.notes.push(ADOPTED.to_owned());
        }
    }
    explanation.rule = Some(decision.rule.name.clone());
    explanation.at = Some(passed::place(decision.rule, written));
    explanation.ramp = plan::progress(decision.rule, second);
    if let (Some(_), Target::Split(split)) = (&explanation.ramp, &decision.rule.target) {
        explanation.weights = Some(plan::shares(split, second));
    }
    explanation.draw = draw.map(|draw| format!("{:08x}", draw.0));
    explanation.from = Some(from);
    explanation.ignored = draw::ignored(&decision, request, now);
    if let Some((own, _)) = decision.rule.cookie() {
        let line = request.values("cookie").next().unwrap_or_default();
        let given =
            cookie::Given::of_line(line).into_iter().filter(|given| given.name.as_deref() == Some(own.name.as_bytes()));
        let decoded = given.map(|given| given.decode(config, second)).filter(|cookie| cookie.draw.is_some());
        explanation.cookies = decoded.collect();
        for cookie in &mut explanation.cookies {
            cookie.rules.retain(|reading| reading.rule == decision.rule.name);
        }
    }
    explanation.set_cookie = decision.cookie.map(|cookie| set_cookie(cookie, is_open));
    (explanation, decided)
}

/// The note for a rule that decides no subset.
const ADOPTED: &str = "somebody else owns the weights: the position, modulo the sum of the route's weights, picks a destination if an EnvoyFilter names this header";

/// What the filter may write: one subset, or every subset with a share.
fn decided(decision: &Decision, is_open: bool, now: Second) -> Vec<Decided> {
    let written = |subset: &Subset| Decided {
        subset: Some((subset.name.to_string(), subset.header_value.to_string())),
        position: None,
    };
    match (&decision.rule.target, decision.choice) {
        (Target::Split(split), _) if is_open => {
            let shares = plan::draws(split, now);
            let with_share = split.subsets.iter().zip(shares).filter(|(_, draws)| *draws > 0);
            with_share.map(|(subset, _)| written(subset)).collect()
        }
        (_, Choice::Subset(subset)) => vec![written(subset)],
        (_, Choice::Position(_, position)) => {
            vec![Decided { subset: None, position: Some(position).filter(|_| !is_open) }]
        }
    }
}

fn set_cookie(cookie: NewCookie, is_open: bool) -> SetCookie {
    let not_with = [(cookie.plain_at.is_some(), "a redirect to https of the same host"), (cookie.keeps, "5xx")];
    SetCookie {
        value: if is_open { undrawn(&cookie).unwrap_or_default() } else { cookie.header },
        not_with: not_with.into_iter().filter(|(is_so, _)| *is_so).map(|(_, response)| response).collect(),
    }
}

/// The cookie with words for what the draw decides.
fn undrawn(cookie: &NewCookie) -> Option<String> {
    let (pair, attributes) = cookie.header.split_once(';')?;
    let (name, value) = pair.split_once('=')?;
    let made = value.split('.').nth(2)?;
    let kept = if cookie.keeps { ".SUBSET.SIGNATURE" } else { "" };
    Some(format!("{name}=1.DRAW.{made}{kept};{attributes}"))
}

fn read_draw(text: &str) -> Result<Draw, String> {
    let is_hex = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let draw = u32::from_str_radix(text, 16).ok().filter(|_| is_hex);
    draw.map(Draw).ok_or_else(|| "not 8 hex digits, as in 600df00d".to_owned())
}
