"""What the filter's metrics say at a gateway."""

import re


def counted(envoy):
    """How many requests, and how many responses."""
    stats = envoy.stats("wasmcustom.rule=")
    kinds = ("canary_requests_total", "canary_responses_total")
    return tuple(sum(value for name, value in stats.items() if name.endswith(kind)) for kind in kinds)


def faults(envoy):
    """How many faults of configs."""
    return envoy.stat("wasmcustom.canary_config_errors_total")


def rules(envoy):
    """How many rules are in each state."""
    return {state: envoy.stat(f"wasmcustom.state=.={state};.;canary_config_rules") for state in ("active", "last_good", "off")}


def fingerprint(envoy, plugin):
    """Which config the plugin was given last; 0 if it is gone."""
    return envoy.stat(f"wasmcustom.plugin=.={plugin.called};.;canary_config_fingerprint")


def config_faults(envoy, plugin):
    """How many faults that config has."""
    return envoy.stat(f"wasmcustom.plugin=.={plugin.called};.;canary_config_faults")


def rule_faults(envoy):
    """The rules that are in a state other than the config's."""
    stats = envoy.stats("wasmcustom.rule=.=")
    named = (re.fullmatch(r"wasmcustom\.rule=\.=(.+);\.;state=\.=(.+);\.;canary_rule_fault", name) for name in stats)
    return {(each[1], each[2]) for each in named if each and stats[each[0]] == 1}


def weight(envoy, rule, subset):
    """The weight in force."""
    return envoy.stat(f"wasmcustom.rule=.={rule};.;subset=.={subset};.;canary_config_weight")


def vms(envoy):
    """The number of VMs: one for each worker, and two more."""
    return envoy.stat("wasm.envoy.wasm.runtime.v8.active")
