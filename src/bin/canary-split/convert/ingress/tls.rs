//! The servers of a Gateway: http, and https with the Ingresses' certificates.

use super::super::refusal::Refusal;
use super::paths::Site;
use super::read::Ingress;
use crate::input::yaml::Node;

#[derive(Debug, PartialEq, Eq)]
pub struct Server {
    pub hosts: Vec<String>,
    pub does: Does,
}

/// The task of a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Does {
    /// Answers http.
    Http,
    /// Redirects http to https.
    Redirect,
    /// Answers https with the certificate in this Secret.
    Https(String),
}

pub fn servers(site: &Site, notes: &mut Vec<String>) -> Result<Vec<Server>, Refusal> {
    let mut servers: Vec<Server> = Vec::new();
    let mut add = |host: &str, does: Does| match servers.iter_mut().find(|server| server.does == does) {
        Some(server) => server.hosts.push(host.to_owned()),
        None => servers.push(Server { hosts: vec![host.to_owned()], does }),
    };
    for host in &site.hosts {
        let all = site.ingresses();
        let mains = all.iter().filter(|ingress| !ingress.is_canary);
        let mut secret = None;
        for ingress in mains.clone() {
            secret = secret.or(certificate(ingress, host, notes)?);
        }
        let redirected: Vec<bool> = mains.map(|ingress| redirects(ingress, secret.is_some(), notes)).collect();
        let is_redirected = secret.is_some() && redirected.iter().all(|is| *is);
        if secret.is_some() && !is_redirected && redirected.contains(&true) {
            notes.push(format!("{host}: http is redirected for some paths alone by the Ingresses; a Gateway redirects all or none, so here none"));
        }
        add(host, if is_redirected { Does::Redirect } else { Does::Http });
        if let Some(secret) = secret {
            add(host, Does::Https(secret));
        }
    }
    servers.sort_by_key(|server| match server.does {
        Does::Http => 0,
        Does::Redirect => 1,
        Does::Https(_) => 2,
    });
    Ok(servers)
}

fn certificate(ingress: &Ingress, host: &str, notes: &mut Vec<String>) -> Result<Option<String>, Refusal> {
    for entry in ingress.object.items(&["spec", "tls"]) {
        let hosts = entry.get("hosts").map_or(&[][..], Node::items);
        let covers = |own: &Node| own.text().is_some_and(|own| covers(own, host));
        if !hosts.is_empty() && !hosts.iter().any(covers) {
            continue;
        }
        let Some(secret) = entry.get("secretName").and_then(Node::text).filter(|name| !name.is_empty()) else {
            let reason = "tls without secretName is ingress-nginx's own certificate; name a Secret";
            return Err(Refusal::at(ingress.object, entry, reason));
        };
        let of = ingress.object.namespace.clone();
        let slash = if of.is_empty() { "" } else { "/" };
        let note = format!(
            "Secret {of}{slash}{secret} has to be in the namespace of the gateway's pods too (istio-system): Istio reads credentialName there"
        );
        if !notes.contains(&note) {
            notes.push(note);
        }
        let issuer = ingress.object.at(&["metadata", "annotations"]).map_or(&[][..], Node::entries).iter();
        let mut issuer = issuer
            .filter(|(key, _)| ["cert-manager.io/issuer", "cert-manager.io/cluster-issuer"].contains(&&*key.name));
        if let Some((key, _)) = issuer.next() {
            let (line, _) = ingress.object.source.position(key.span.start);
            let note = format!(
                "{}:{line}: {}: {} is for Ingresses: write a Certificate for {secret} in that namespace",
                ingress.object.source.name,
                ingress.object.title(),
                key.name
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        return Ok(Some(secret.to_owned()));
    }
    Ok(None)
}

fn covers(own: &str, host: &str) -> bool {
    let (own, host) = (own.to_ascii_lowercase(), host.to_ascii_lowercase());
    let below = own.strip_prefix("*.").and_then(|parent| host.strip_suffix(parent)?.strip_suffix('.'));
    own == host || below.is_some_and(|label| !label.is_empty() && !label.contains('.'))
}

/// Whether an Ingress redirects http to https, as it does by default. Without a certificate, the caller ignores it.
fn redirects(ingress: &Ingress, has_certificate: bool, notes: &mut Vec<String>) -> bool {
    if let Some(forced) = ingress.get("force-ssl-redirect").filter(|said| said.is_true()) {
        if !has_certificate {
            notes.push(ingress.note(
                &forced,
                "is not converted: without tls the gateway answers http alone; where TLS ends before it, redirect there",
            ));
        }
        return true;
    }
    ingress.get("ssl-redirect").is_none_or(|said| !said.is_false())
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_wildcard_is_for_one_label() {
        for (own, host, expected) in [
            ("shop.acme.io", "shop.acme.io", true),
            ("*.acme.io", "Shop.acme.io", true),
            ("*.acme.io", "acme.io", false),
            ("*.acme.io", "a.b.acme.io", false),
            ("*.acme.io", "*.acme.io", true),
            ("acme.io", "shop.acme.io", false),
        ] {
            assert_eq!(covers(own, host), expected, "{own} {host}");
        }
    }
}
