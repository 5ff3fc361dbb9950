//! A gateway's statistics, in Prometheus' text format, with and without Istio's labels.

use canary_split::metrics;
use std::collections::HashMap;

/// The samples of one answer.
#[derive(Debug, Default)]
pub struct Statistics(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Statistics {
    /// Reads a text; lines that are no samples are left out.
    pub fn read(text: &str) -> Statistics {
        Statistics(text.lines().filter_map(Sample::read).collect())
    }

    /// Whether the filter runs: if so, it always has these gauges.
    pub fn has_filter(&self) -> bool {
        self.0.iter().any(|sample| sample.name.ends_with("canary_config_rules"))
    }

    /// The value of one of the filter's statistics, by the filter's name: `rule=.=shop;.;…canary_config_weight`.
    pub fn value(&self, stat: &str) -> Option<f64> {
        let (name, labels) = parts(stat);
        let bare = bare(stat);
        let is_it = |sample: &&Sample| {
            sample.name == bare
                || sample.name == name
                    && labels.len() == sample.labels.len()
                    && labels.iter().all(|(name, value)| sample.label(name) == Some(value))
        };
        self.0.iter().find(is_it).map(|sample| sample.value)
    }

    /// The weight in force of a subset; `None` also for what no filter says.
    pub fn weight(&self, rule: &str, subset: &str) -> Option<u32> {
        let weight = self.value(&metrics::config_weight(rule, subset))?;
        (weight <= f64::from(u32::MAX)).then_some(weight as u32)
    }

    /// The sum of the requests of a subset, from all sources.
    pub fn requests(&self, rule: &str, subset: &str) -> f64 {
        use canary_split::decide::Source::{Cookie, Fixed, Fresh, Kept, Key, Remembered};
        let all = [Fixed, Fresh, Key, Cookie, Kept, Remembered];
        all.iter().filter_map(|source| self.value(&metrics::requests(rule, subset, Some(*source)))).sum()
    }

    /// The sums of the final responses of a subset, and of its failures: 5xx.
    pub fn responses(&self, rule: &str, subset: &str) -> (f64, f64) {
        let of = |status| self.value(&metrics::responses(rule, subset, metrics::CodeClass::of(status))).unwrap_or(0.0);
        let failed = of(500);
        ([100, 200, 300, 400].into_iter().map(of).sum::<f64>() + failed, failed)
    }

    /// A gauge with a label `plugin`, for what its controller calls so; Istio may add a suffix.
    pub fn of_plugin(&self, gauge: &str, own: &str) -> Option<f64> {
        let is_own = |label: &str| label.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('~'));
        let bare_own = format!("plugin___{}", sanitized(own));
        let is_it = |sample: &&Sample| match sample.name.strip_suffix(gauge) {
            Some("") => sample.label("plugin").is_some_and(is_own),
            Some(before) => {
                let rest = before.strip_prefix(&bare_own);
                rest.is_some_and(|rest| rest == "___" || rest.starts_with("_istio_translated"))
            }
            None => false,
        };
        self.0.iter().find(is_it).map(|sample| sample.value)
    }

    /// The number of pushes of routes and extensions that Envoy has rejected; `None` if not collected.
    pub fn rejected(&self) -> Option<f64> {
        let is_it = |sample: &&Sample| {
            sample.name.ends_with("update_rejected")
                && ["http_rds_", "extension_config_discovery"].iter().any(|kind| sample.name.contains(kind))
        };
        let all: Vec<f64> = self.0.iter().filter(is_it).map(|sample| sample.value).collect();
        (!all.is_empty()).then(|| all.iter().sum())
    }
}

impl Sample {
    /// `NAME{LABEL="VALUE",…} NUMBER`
    fn read(line: &str) -> Option<Sample> {
        if line.starts_with('#') {
            return None;
        }
        let (name, labels, rest) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, rest) = labels(rest)?;
                (name, labels, rest)
            }
            None => {
                let (name, rest) = line.split_once(' ')?;
                (name, Vec::new(), rest)
            }
        };
        let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
        // Envoy counts in whole numbers of 64 bits; NaN and what is infinite are none either.
        let is_count = value.fract() == 0.0 && (0.0..=u64::MAX as f64).contains(&value);
        is_count.then_some(())?;
        Some(Sample { name: name.to_owned(), labels, value })
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.push((name.trim_start_matches(',').to_owned(), value));
        text = rest.get(end + 1..)?;
        text = text.strip_prefix(',').unwrap_or(text);
    }
}

/// The name and the labels of a stat.
fn parts(stat: &str) -> (&str, HashMap<&str, &str>) {
    let (labels, name) = stat.rsplit_once(";.;").unwrap_or(("", stat));
    (name, labels.split(";.;").filter_map(|piece| piece.split_once("=.=")).collect())
}

/// Envoy's form of a stat's name if it is not configured to extract labels.
fn bare(stat: &str) -> String {
    sanitized(stat)
}

fn sanitized(name: &str) -> String {
    name.chars().map(|each| if each.is_ascii_alphanumeric() { each } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::Statistics;
    use canary_split::metrics;

    const LABELLED: &str = r#"# TYPE canary_config_weight gauge
canary_config_weight{rule="my-shop",subset="v2"} 20
canary_config_rules{state="active"} 1
canary_requests_total{rule="my-shop",subset="v2",source="fresh"} 7
canary_requests_total{rule="my-shop",subset="v2",source="cookie"} 5
canary_responses_total{rule="my-shop",subset="v2",code_class="2xx"} 9
canary_responses_total{rule="my-shop",subset="v2",code_class="5xx"} 3
canary_config_fingerprint{plugin="istio-system.canary-split~istio-translated-wasmplugin"} 4294967295
canary_config_fingerprint{plugin="istio-system.canary-split-2"} 7
envoy_odd{a="b\"c,}",d="e"} 1
"#;

    const BARE: &str = r#"rule___my_shop___subset___v2___canary_config_weight{} 20
state___active___canary_config_rules{} 1
rule___my_shop___subset___v2___source___fresh___canary_requests_total{} 7
rule___my_shop___subset___v2___source___cookie___canary_requests_total{} 5
rule___my_shop___subset___v2___code_class___2xx___canary_responses_total{} 9
rule___my_shop___subset___v2___code_class___5xx___canary_responses_total{} 3
plugin___istio_system_canary_split_istio_translated_wasmplugin___canary_config_fingerprint{} 4294967295
plugin___istio_system_canary_split_2___canary_config_fingerprint{} 7
"#;

    #[test]
    fn what_a_gateway_says_is_read_with_and_without_labels() {
        for text in [LABELLED, BARE] {
            let statistics = Statistics::read(text);
            assert!(statistics.has_filter());
            assert_eq!(statistics.value(&metrics::config_weight("my-shop", "v2")), Some(20.0));
            assert_eq!(statistics.value(&metrics::config_weight("my-shop", "v1")), None);
            assert_eq!(statistics.requests("my-shop", "v2"), 12.0);
            assert_eq!(statistics.responses("my-shop", "v2"), (12.0, 3.0));
            let fingerprint = |name| statistics.of_plugin("canary_config_fingerprint", &format!("istio-system.{name}"));
            assert_eq!(fingerprint("canary-split"), Some(4_294_967_295.0));
            assert_eq!(fingerprint("canary-split-2"), Some(7.0));
            assert_eq!(fingerprint("canary"), None);
            assert_eq!(statistics.rejected(), None);
        }
    }

    #[test]
    fn every_source_and_every_class_is_counted() {
        let sources = ["fixed", "fresh", "key", "cookie", "kept", "remembered"].map(|one| ("requests", "source", one));
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|one| ("responses", "code_class", one));
        let all = |lines: &[(&str, &str, &str)]| -> String {
            let line = |(at, (name, label, one)): (usize, &(&str, &str, &str))| {
                format!("canary_{name}_total{{rule=\"shop\",subset=\"v2\",{label}=\"{one}\"}} {}\n", 1 << at)
            };
            lines.iter().enumerate().map(line).collect()
        };
        let statistics = Statistics::read(&(all(&sources) + &all(&classes)));
        assert_eq!((statistics.requests("shop", "v2"), statistics.responses("shop", "v2")), (63.0, (31.0, 16.0)));
    }

    #[test]
    fn a_statistic_has_these_labels_and_no_others() {
        for (labels, number, expected) in [
            (r#"rule="shop",subset="v2""#, "20", Some(20)),
            (r#"subset="v2",rule="shop""#, "4294967295", Some(u32::MAX)),
            (r#"rule="shop",subset="v2""#, "4294967296", None),
            (r#"rule="shop",subset="v2",plugin="b""#, "20", None),
            (r#"rule="shop""#, "20", None),
            (r#"rule="shop",subset="v1""#, "20", None),
        ] {
            let text = format!("canary_config_weight{{{labels}}} {number}\n");
            assert_eq!(Statistics::read(&text).weight("shop", "v2"), expected, "{text}");
        }
        let Statistics(samples) = Statistics::read(r#"a{b="c\"d\\e\nf,}"} 1"#);
        assert_eq!(samples[0].label("b"), Some("c\"d\\e\nf,}"));
    }

    #[test]
    fn rejected_pushes_are_those_of_routes_and_extensions() {
        for (line, expected) in [
            (r#"envoy_http_rds_update_rejected{rds_route_config="http.80"} 2"#, Some(2.0)),
            (r#"envoy_extension_config_discovery_http_filter_x_update_rejected{} 1"#, Some(1.0)),
            // Envoy counts a rejected extension there too.
            (r#"envoy_extension_config_discovery_http_filter_x_config_fail{} 1"#, None),
            (r#"envoy_cluster_manager_cds_update_rejected{} 3"#, None),
            (r#"envoy_listener_manager_lds_update_rejected{} 3"#, None),
        ] {
            assert_eq!(Statistics::read(line).rejected(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_sample_is_left_out() {
        for text in [
            "",
            "# HELP x",
            "x",
            "x{",
            "x{a=\"b} 1",
            "x{a=\"b\"} y",
            "<html>",
            "upstream connect error",
            "x NaN",
            "x -1",
            "x 0.5",
            "x +Inf",
            "x 1e308",
        ] {
            assert!(Statistics::read(text).0.is_empty(), "{text}");
        }
    }
}
