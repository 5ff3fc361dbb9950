//! The header matches in the routes of a gateway: whether an edited VirtualService or HTTPRoute has reached Envoy.

use super::admin::{self, Unknown};
use super::pods::Pod;
use kube::Client;
use serde_json::Value;
use std::collections::BTreeSet;

/// The texts that routes compare a header with: exact, prefix or regex.
pub type Asked = BTreeSet<String>;

/// The header matches of a VirtualService, or of a route of the Gateway API.
pub fn of_object(object: &Value, header: &str) -> Asked {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rules = object.pointer("/spec/rules").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_api = rules.iter().flat_map(|rule| list(rule, "matches")).flat_map(|entry| list(&entry, "headers"));
    let of_api = of_api.filter(|asked| text(asked, "name").eq_ignore_ascii_case(header));
    let of_api = of_api.map(|asked| text(&asked, "value"));
    let routes = object.pointer("/spec/http").and_then(Value::as_array).cloned().unwrap_or_default();
    let headers = routes
        .iter()
        .flat_map(|route| list(route, "match"))
        .flat_map(|entry| entry.get("headers").and_then(Value::as_object).cloned().unwrap_or_default());
    let headers = headers.filter(|(name, _)| name.eq_ignore_ascii_case(header));
    headers.flat_map(|(_, asked)| texts(&asked)).chain(of_api).collect()
}

/// The header matches in Envoy's routes of an object; `None`: it has none.
pub async fn of_gateway(client: &Client, pod: &Pod, object: &Value, header: &str) -> Result<Option<Asked>, Unknown> {
    let body = admin::ask(client, pod, "/config_dump?resource=dynamic_route_configs").await?;
    let dump: Value = serde_json::from_slice(&body)
        .map_err(|error| Unknown(format!("{}: the routes of its Envoy: {error}", pod.title())))?;
    Ok(of_dump(&dump, &Made::by(object), header))
}

/// By what a route of Envoy's is known.
struct Made {
    /// Istio names the VirtualService in the route's metadata.
    virtual_service: String,
    /// The names of the routes of the Gateway API: those that Istio gives, `NAMESPACE.NAME.RULE`, and those that Envoy Gateway gives.
    beginnings: Vec<String>,
    /// The names that rules have themselves.
    names: Vec<String>,
}

impl Made {
    fn by(object: &Value) -> Made {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let rules = object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
        let kind = text("/kind").to_ascii_lowercase();
        let is_of_api = kind != "virtualservice";
        let beginnings = [format!("{namespace}.{name}."), format!("{kind}/{namespace}/{name}/rule/")];
        Made {
            virtual_service: format!("/namespaces/{namespace}/virtual-service/{name}"),
            beginnings: beginnings.into_iter().filter(|_| is_of_api).collect(),
            names: rules.filter_map(|rule| rule.get("name")?.as_str().map(str::to_owned)).collect(),
        }
    }

    fn has(&self, route: &Value) -> bool {
        let name = route.get("name").and_then(Value::as_str).unwrap_or_default();
        let made_of = route.pointer("/metadata/filter_metadata/istio/config").and_then(Value::as_str);
        let is_numbered = |beginning: &String| {
            let rest = name.strip_prefix(&**beginning);
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        made_of.is_some_and(|made_of| made_of.ends_with(&self.virtual_service))
            || self.beginnings.iter().any(is_numbered)
            || self.names.iter().any(|own| own == name)
    }
}

fn of_dump(dump: &Value, made: &Made, header: &str) -> Option<Asked> {
    let list = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let routes = list(dump, "/configs")
        .into_iter()
        .flat_map(|config| list(&config, "/route_config/virtual_hosts"))
        .flat_map(|host| list(&host, "/routes"));
    let mut found = None;
    for route in routes.filter(|route| made.has(route)) {
        let asked: &mut Asked = found.get_or_insert_default();
        for matched in list(&route, "/match/headers") {
            let name = matched.get("name").and_then(Value::as_str);
            let is_it = name.is_some_and(|name| name.eq_ignore_ascii_case(header));
            if is_it && matched.get("invert_match").is_none() {
                asked.extend(matched.get("string_match").into_iter().flat_map(texts));
            }
        }
    }
    found
}

/// The text of a matcher of Istio's or of Envoy's.
fn texts(matcher: &Value) -> Vec<String> {
    let plain = ["exact", "prefix", "regex"].into_iter().filter_map(|kind| matcher.get(kind)?.as_str());
    let regex = matcher.pointer("/safe_regex/regex").and_then(Value::as_str);
    plain.chain(regex).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{Asked, Made, of_dump, of_object};
    use serde_json::{Value, json};

    #[test]
    fn what_envoy_has_is_compared_with_what_the_virtual_service_says() {
        let route = |value: &str, made_of: &str| {
            json!({"match": {"prefix": "/", "headers": [{"name": "x-canary-subset", "string_match": {"exact": value}}]},
                "metadata": {"filter_metadata": {"istio": {"config": format!("/apis/networking.istio.io/v1/namespaces/{made_of}")}}}})
        };
        let (own, other) = ("shop/virtual-service/shop", "shop/virtual-service/other");
        let plain = json!({"match": {"prefix": "/"}, "metadata": {"filter_metadata": {"istio": {"config": format!("/namespaces/{own}")}}}});
        let dump = |routes| json!({"configs": [{"route_config": {"virtual_hosts": [{"routes": routes}]}}]});
        let made = |kind: &str, spec: Value| {
            Made::by(&json!({"kind": kind, "metadata": {"namespace": "shop", "name": "shop"}, "spec": spec}))
        };
        let virtual_service = made("VirtualService", json!({}));
        let asked = |routes| of_dump(&dump(routes), &virtual_service, "X-Canary-Subset");
        let set = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Asked>());
        assert_eq!(asked(json!([route("v2", own), plain, route("v3", other)])), set(&["v2"]));
        assert_eq!(asked(json!([plain])), set(&[]));
        assert_eq!(asked(json!([route("v3", other)])), None);
        let object = json!({"spec": {"http": [
            {"match": [{"headers": {"x-canary-subset": {"exact": "v2"}}}, {"headers": {"x-canary-subset": {"prefix": "w"}}}]},
            {"match": [{"headers": {"x-other": {"exact": "v9"}}, "uri": {"prefix": "/"}}]}, {"route": []}]}});
        assert_eq!(Some(of_object(&object, "x-canary-subset")), set(&["v2", "w"]));
        let named = |name: &str| {
            let mut route = route("v2", other);
            route["name"] = json!(name);
            route
        };
        let rules = json!({"rules": [{"name": "api", "matches": [
            {"headers": [{"name": "X-Canary-Subset", "value": "v2"}, {"name": "x-other", "value": "v9"}]}]}]});
        let http_route = made("HTTPRoute", rules.clone());
        for (name, expected) in [
            ("shop.shop.0", set(&["v2"])),
            ("api", set(&["v2"])),
            ("httproute/shop/shop/rule/0/match/0/shop_example_com", set(&["v2"])),
            ("shop.shop.other.0", None),
            ("httproute/shop/shop-2/rule/0/match/0/*", None),
        ] {
            assert_eq!(of_dump(&dump(json!([named(name)])), &http_route, "x-canary-subset"), expected, "{name}");
        }
        assert_eq!(asked(json!([named("shop.shop.0")])), None);
        assert_eq!(Some(of_object(&json!({"spec": rules}), "x-canary-subset")), set(&["v2"]));
    }
}
