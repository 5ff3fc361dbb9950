//! The header matches in the routes of a gateway: whether an edited VirtualService has reached Envoy.

use super::admin::{self, Unknown};
use super::pods::Pod;
use kube::Client;
use serde_json::Value;
use std::collections::BTreeSet;

/// The texts that routes compare a header with: exact, prefix or regex.
pub type Asked = BTreeSet<String>;

/// The header matches of a VirtualService.
pub fn of_virtual_service(object: &Value, header: &str) -> Asked {
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let routes = object.pointer("/spec/http").and_then(Value::as_array).cloned().unwrap_or_default();
    let headers = routes
        .iter()
        .flat_map(|route| list(route, "match"))
        .flat_map(|entry| entry.get("headers").and_then(Value::as_object).cloned().unwrap_or_default());
    headers.filter(|(name, _)| name.eq_ignore_ascii_case(header)).flat_map(|(_, asked)| texts(&asked)).collect()
}

/// The header matches in Envoy's routes of a VirtualService; `None`: it has none.
pub async fn of_gateway(client: &Client, pod: &Pod, object: &Value, header: &str) -> Result<Option<Asked>, Unknown> {
    let body = admin::ask(client, pod, "/config_dump?resource=dynamic_route_configs").await?;
    let dump: Value = serde_json::from_slice(&body)
        .map_err(|error| Unknown(format!("{}: the routes of its Envoy: {error}", pod.title())))?;
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let own = format!("/namespaces/{}/virtual-service/{}", text("/metadata/namespace"), text("/metadata/name"));
    Ok(of_dump(&dump, &own, header))
}

/// Istio names the VirtualService of a route in the route's metadata.
fn of_dump(dump: &Value, own: &str, header: &str) -> Option<Asked> {
    let list = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let routes = list(dump, "/configs")
        .into_iter()
        .flat_map(|config| list(&config, "/route_config/virtual_hosts"))
        .flat_map(|host| list(&host, "/routes"));
    let is_own = |route: &Value| {
        let made_of = route.pointer("/metadata/filter_metadata/istio/config").and_then(Value::as_str);
        made_of.is_some_and(|made_of| made_of.ends_with(own))
    };
    let mut found = None;
    for route in routes.filter(is_own) {
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
    use super::{Asked, of_dump, of_virtual_service};
    use serde_json::json;

    #[test]
    fn what_envoy_has_is_compared_with_what_the_virtual_service_says() {
        let route = |value: &str, made_of: &str| {
            json!({"match": {"prefix": "/", "headers": [{"name": "x-canary-subset", "string_match": {"exact": value}}]},
                "metadata": {"filter_metadata": {"istio": {"config": format!("/apis/networking.istio.io/v1/namespaces/{made_of}")}}}})
        };
        let (own, other) = ("shop/virtual-service/shop", "shop/virtual-service/other");
        let plain = json!({"match": {"prefix": "/"}, "metadata": {"filter_metadata": {"istio": {"config": format!("/namespaces/{own}")}}}});
        let dump = |routes| json!({"configs": [{"route_config": {"virtual_hosts": [{"routes": routes}]}}]});
        let asked = |routes| of_dump(&dump(routes), &format!("/namespaces/{own}"), "X-Canary-Subset");
        let set = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Asked>());
        assert_eq!(asked(json!([route("v2", own), plain, route("v3", other)])), set(&["v2"]));
        assert_eq!(asked(json!([plain])), set(&[]));
        assert_eq!(asked(json!([route("v3", other)])), None);
        let object = json!({"spec": {"http": [
            {"match": [{"headers": {"x-canary-subset": {"exact": "v2"}}}, {"headers": {"x-canary-subset": {"prefix": "w"}}}]},
            {"match": [{"headers": {"x-other": {"exact": "v9"}}, "uri": {"prefix": "/"}}]}, {"route": []}]}});
        assert_eq!(Some(of_virtual_service(&object, "x-canary-subset")), set(&["v2", "w"]));
    }
}
