//! An explanation for people.

use super::draw::CHANCE;
use super::explanation::{Explanation, Written};
use super::passed::{Place, Reason};
use super::routed::{Arrival, NOT_SERVED, Routed};
use crate::input::quoted::visible;
use crate::report::wrap::wrapped;
use std::io::{self, Write};

/// Prints the rules in their order, then the decision of the one that holds.
pub fn print(explanation: &Explanation, out: &mut impl Write) -> io::Result<()> {
    for passed in &explanation.passed {
        writeln!(out, "rule {} does not hold", visible(&passed.rule))?;
        for reason in &passed.reasons {
            writeln!(out, "  {}", placed(&explanation.file, &reason.at))?;
            writeln!(out, "    {}", visible(&sentence(reason)))?;
        }
    }
    match (&explanation.rule, &explanation.at) {
        (Some(rule), Some(at)) => {
            writeln!(out, "rule {} decides", visible(rule))?;
            writeln!(out, "  {}", placed(&explanation.file, at))?;
        }
        _ if explanation.is_living && !explanation.faults.is_empty() => writeln!(
            out,
            "no rule of this config holds; the gateways may have a last good version in force, which only they know: canary-split status"
        )?,
        _ if explanation.passed.is_empty() => {
            writeln!(out, "no rule is in force; the default route takes the request")?
        }
        _ => writeln!(out, "no rule holds; the default route takes the request")?,
    }
    if let (Some(ramp), Some(weights)) = (&explanation.ramp, &explanation.weights) {
        writeln!(out, "weights   {weights}")?;
        writeln!(out, "{}", wrapped("ramp      ", &ramp.text))?;
    }
    if let Some(from) = &explanation.from {
        match &explanation.draw {
            Some(draw) => writeln!(out, "draw      {draw}, by {from}")?,
            None if explanation.shares.is_empty() && from != CHANCE => writeln!(out, "draw      {from}")?,
            None => writeln!(out, "draw      by {from}")?,
        }
    }
    let width = explanation.shares.iter().map(|candidate| candidate.subset.len()).max().unwrap_or_default();
    match &explanation.subset {
        Some(subset) => writeln!(out, "subset    {subset}")?,
        None => {
            for candidate in &explanation.shares {
                writeln!(out, "subset    {:width$}  {}", candidate.subset, candidate.share)?;
            }
        }
    }
    print_header("request", &explanation.header, out)?;
    explanation.position_headers.iter().try_for_each(|header| print_header("request", header, out))?;
    let is_one = explanation.routes.len() == 1;
    for routed in &explanation.routes {
        print_route(routed, is_one, explanation.is_living, out)?;
    }
    for cookie in explanation.forgotten.iter().chain(&explanation.set_cookie) {
        writeln!(out, "response  set-cookie: {}", cookie.value)?;
        if !cookie.not_with.is_empty() {
            writeln!(out, "          but not with {}", cookie.not_with.join(" or "))?;
        }
    }
    if let Some(header) = &explanation.response_header {
        print_header("response", header, out)?;
    }
    for reading in explanation.cookies.iter().flat_map(|cookie| &cookie.rules) {
        writeln!(out, "{}", wrapped("cookie    ", &reading.sentence()))?;
    }
    for note in &explanation.notes {
        writeln!(out, "{}", wrapped("note      ", &visible(note)))?;
    }
    for ignored in &explanation.ignored {
        writeln!(out, "{}", wrapped("ignored   ", &visible(&format!("{}: {}", ignored.what, ignored.why))))?;
    }
    Ok(())
}

/// `FILE:LINE:COLUMN: PLACE`
fn placed(file: &str, at: &Place) -> String {
    let placed = match (at.line, at.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {}", at.place),
        _ => format!("{file}: {}", at.place),
    };
    visible(&placed).into_owned()
}

fn print_route(routed: &Routed, is_one: bool, is_living: bool, out: &mut impl Write) -> io::Result<()> {
    let subset = routed.subset.as_ref().filter(|_| !is_one).map(|subset| format!("{subset}  ")).unwrap_or_default();
    if routed.instead == Some("httpsRedirect") {
        return writeln!(out, "route     none: the Gateway sends every http request of this host to https");
    }
    if routed.instead == Some(NOT_SERVED) {
        let scheme = routed.scheme;
        return writeln!(
            out,
            "route     none: no Gateway with the filter serves the routes of this host over {scheme}"
        );
    }
    let Some(route) = &routed.route else {
        return writeln!(out, "route     {subset}none takes it: 404");
    };
    let doubt = if routed.is_doubtful { ", if no other one takes it before" } else { "" };
    writeln!(out, "route     {subset}{}{doubt}", visible(route))?;
    if let Some(instead) = routed.instead {
        writeln!(out, "          {instead}")?;
    }
    for Arrival { host, subset, port, pods } in &routed.destinations {
        let subset = subset.as_ref().map(|subset| format!(" subset {subset}")).unwrap_or_default();
        let port = port.map(|port| format!(" port {port}")).unwrap_or_default();
        let pods =
            pods.map_or(": pods not known".to_owned(), |pods| format!(": {} of {} pods ready", pods.ready, pods.total));
        // Manifests have no pods.
        let pods = if is_living { pods } else { String::new() };
        writeln!(out, "          → {}{}{port}{pods}", visible(host), visible(&subset))?;
    }
    Ok(())
}

fn print_header(side: &str, header: &Written, out: &mut impl Write) -> io::Result<()> {
    match &header.value {
        Some(value) => writeln!(out, "{side:8}  {}: {value}", header.name),
        None => writeln!(out, "{side:8}  {} is removed", header.name),
    }
}

/// The wanted and the found value.
fn sentence(reason: &Reason) -> String {
    const MOST: usize = 100;
    let place = &reason.at.place;
    if let Some(why) = &reason.why {
        return why.clone();
    }
    let must = if place.contains("].withoutHeaders") { "must not be" } else { "must be" };
    let kind = match place {
        _ if place.ends_with("].hosts") => "one of ",
        _ if place.ends_with("].remoteIpBlocks") => "in one of ",
        _ => "",
    };
    let wanted = match reason.wanted.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", reason.wanted.get(..end).unwrap_or_default()),
        None if reason.wanted == "{}" => "there".to_owned(),
        None => reason.wanted.clone(),
    };
    match &reason.found {
        Some(found) => format!("{must} {kind}{wanted}, is {found}"),
        None => format!("{must} {kind}{wanted}, is absent"),
    }
}
