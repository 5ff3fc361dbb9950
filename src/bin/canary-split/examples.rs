//! The examples in the help texts: no line is wider than 80 characters.

/// Of the whole tool.
pub const ALL: &str = "\
Examples:
  canary-split status                          see what every gateway pod does
  canary-split set v2=25%                      give v2 a quarter of the visitors
  canary-split rollback                        send everybody back to stable
  canary-split check manifests                 find what is wrong in manifests";

/// Of `status`.
pub const STATUS: &str = "\
Examples:
  canary-split status
  canary-split status shop --watch
  canary-split status -n istio-system -o json";

/// Of `dashboard`.
pub const DASHBOARD: &str = "\
Examples:
  canary-split dashboard
  canary-split dashboard --port 9000 --no-open
  canary-split dashboard --write               move weights on the page
  canary-split dashboard --admin 127.0.0.1:9901 -f wasmplugin.yaml";

/// Of `set`.
pub const SET: &str = "\
Examples:
  canary-split set v2=25%                      stable gives or takes
  canary-split set shop v1=75 v2=25            these weights as they are
  canary-split set shop 75/25 --yes            all of them, in their order
  canary-split set shop --pause
  canary-split set v2=25% -f wasmplugin.yaml --dry-run";

/// Of `rollback`.
pub const ROLLBACK: &str = "\
Examples:
  canary-split rollback
  canary-split rollback --all --yes
  canary-split rollback shop --evict           kept visitors leave too
  canary-split rollback -f wasmplugin.yaml";

/// Of `promote`.
pub const PROMOTE: &str = "\
Examples:
  canary-split promote shop v2
  canary-split promote shop v2 --dry-run       show the steps
  canary-split promote shop v2 -f manifests";

/// Of `remove`.
pub const REMOVE: &str = "\
Examples:
  canary-split remove shop
  canary-split remove shop --dry-run           show the steps
  canary-split remove shop -f wasmplugin.yaml routing.yaml";

/// Of `check`.
pub const CHECK: &str = "\
Examples:
  canary-split check manifests
  helm template shop | canary-split check -
  canary-split check --explain ramp-ended";

/// Of `convert`.
pub const CONVERT: &str = "\
Examples:
  canary-split convert virtualservice.yaml gateway.yaml
  canary-split convert manifests --write converted
  canary-split convert manifests --sticky header:x-user,cookie
  canary-split convert ingress.yaml services.yaml
  kubectl get -A -o yaml virtualservices,gateways.networking.istio.io |
    canary-split convert - -o json";

/// Of `adopt`.
pub const ADOPT: &str = "\
Examples:
  canary-split adopt virtualservice.yaml gateway.yaml
  canary-split adopt manifests --write adopted --sticky header:x-user,cookie
  kubectl get -A -o yaml virtualservices,gateways.networking.istio.io |
    canary-split adopt -";

/// Of `explain`.
pub const EXPLAIN: &str = "\
Examples:
  canary-split explain -f wasmplugin.yaml -H x-user:alice \\
    https://shop.example.com/cart
  canary-split explain -f wasmplugin.yaml --now 2026-12-01T12:00:00Z \\
    shop.example.com
  canary-split explain -f wasmplugin.yaml 1.5f2e6049.1c8cf84";

/// Of `diff`.
pub const DIFF: &str = "\
Examples:
  canary-split diff old.yaml new.yaml
  canary-split diff old.yaml new.yaml --now 2026-12-01T12:00:00Z
  kubectl -n istio-system get wasmplugin -o yaml |
    canary-split diff - manifests/overlays/sticky";

/// Of `simulate`.
pub const SIMULATE: &str = "\
Examples:
  canary-split simulate 80/20 50/50
  canary-split simulate 100/0 95/5@3 50/50@10 --days 14 --form plot
  canary-split simulate -f wasmplugin.yaml
  canary-split simulate --guard --rate 50 --canary 10";

/// Of `schema`.
pub const SCHEMA: &str = "\
Examples:
  canary-split schema --for wasmplugin >wasmplugin.schema.json";

/// Of `completion`.
pub const COMPLETION: &str = "\
Examples:
  source <(canary-split completion bash)
  canary-split completion zsh >~/.zfunc/_canary-split
  canary-split completion fish >~/.config/fish/completions/canary-split.fish";
