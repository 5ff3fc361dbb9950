//! The way there and back: what to apply, in which order, and how to undo it.

use super::files::File;
use super::others::removal;
use super::print::Steps;
use super::result::Converted;
use super::saved::Saved;
use super::texts::read;
use crate::input::manifest::Object;
use std::collections::HashSet;

/// What to apply, and what to do to go back.
pub fn of(converted: &Converted, plugins: &[File], routes: &[File], saved: &Saved, is_written: bool) -> Steps {
    let apply = |file: &File| format!("kubectl apply -f {}", file.path.display());
    let (mut steps, mut seen) = (Steps::default(), HashSet::new());
    for (file, plugin) in plugins.iter().zip(&converted.plugins.0) {
        steps.plugins.push(if is_written { apply(file) } else { format!("apply {}", plugin.title()) });
        steps.back_plugins.push(removal(plugin));
    }
    for leave in &converted.leaves {
        steps.leave.push(leave.step.clone());
        steps.back_leave.push(saved.back(converted, leave));
    }
    for (file, text) in routes.iter().zip(converted.texts.edited()) {
        let is_made = !text.instead_of.is_empty();
        let all = if is_made { read(&text.old.name, &text.written()).unwrap_or_default().objects } else { Vec::new() };
        let titles: Vec<String> = if is_made { all.iter().map(Object::title).collect() } else { text.edited.clone() };
        steps.routes.extend(if is_written {
            vec![apply(file)]
        } else {
            titles.iter().map(|title| format!("apply {title}")).collect()
        });
        if !is_made && text.owned == text.edited {
            continue;
        }
        if !is_made {
            let back = match saved.routes.as_ref().filter(|_| text.is_to_be_saved()).map(apply) {
                _ if !is_written => titles.iter().map(|title| format!("apply {title} as it was")).collect(),
                Some(apply) => vec![apply],
                None => vec![format!("kubectl apply -f {}", text.old.name)],
            };
            // One file has all that is saved.
            steps.back_routes.extend(back.into_iter().filter(|step| seen.insert(step.clone())));
            continue;
        }
        steps.back_routes.extend(if is_written {
            vec![format!("kubectl delete -f {}", file.path.display())]
        } else {
            titles.iter().map(|title| format!("delete {title}")).collect()
        });
        let hosts = text.hosts.join(", ");
        steps.visitors.push(format!("let {hosts} point to Istio's gateway (DNS or load balancer)"));
        steps.back_visitors.push(format!(
            "let {hosts} point to the old gateway again, which still has {}",
            text.instead_of.join(" and ")
        ));
    }
    steps
}
