//! `set` and `rollback` in a cluster: what they say, what they write, and how they end.

use crate::living::{Cluster, Trouble, objects};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

struct Case {
    case: &'static str,
    /// What is different from one plugin with v2 at 20 %.
    objects: fn(&mut Vec<Value>),
    trouble: Trouble,
    command: &'static str,
    code: i32,
    says: &'static [&'static str],
    /// How often it has tried to write.
    writes: usize,
}

/// Nothing is different.
const USUAL: fn(&mut Vec<Value>) = |_| {};

/// The rule of the plugin.
fn rules(objects: &mut [Value]) -> &mut Vec<Value> {
    objects[0]["spec"]["pluginConfig"]["rules"].as_array_mut().unwrap()
}

/// A second plugin, whose rule has this name.
fn add_other(objects: &mut Vec<Value>, rule: &str) {
    let mut other = objects[0].clone();
    other["metadata"]["name"] = json!("other");
    other["spec"]["pluginConfig"]["rules"][0]["name"] = json!(rule);
    objects.push(other);
}

const CASES: &[Case] = &[
    Case {
        case: "a dry run asks nobody and writes nothing",
        objects: USUAL,
        trouble: Trouble::None,
        command: "set shop v2=50% --dry-run",
        code: 0,
        says: &["rule shop: v1 80 → 50, v2 20 → 50; nothing is written"],
        writes: 0,
    },
    Case {
        case: "what is so already is awaited and not written",
        objects: USUAL,
        trouble: Trouble::None,
        command: "set shop v2=20% --yes",
        code: 0,
        says: &["rule shop has these weights already", "is in force on 1 of 1 gateway pods"],
        writes: 0,
    },
    Case {
        case: "nobody can be asked",
        objects: USUAL,
        trouble: Trouble::None,
        command: "set shop v2=50%",
        code: 2,
        says: &["this is not a terminal, so nobody can be asked: give --yes, or --dry-run"],
        writes: 0,
    },
    Case {
        case: "an edit ends a trip",
        objects: USUAL,
        trouble: Trouble::Tripped,
        command: "set shop v2=50% --yes",
        code: 0,
        says: &["rule shop: the guard has removed v2 from the split; this edit ends the trip"],
        writes: 1,
    },
    Case {
        case: "without an edit a trip stays, and the weights are not in force",
        objects: USUAL,
        trouble: Trouble::Tripped,
        command: "set shop v2=20% --yes",
        code: 1,
        says: &["rule shop: the guard has removed v2 from the split; any edit of the rule ends the trip"],
        writes: 0,
    },
    Case {
        case: "what is refused is an error",
        objects: USUAL,
        trouble: Trouble::Denied,
        command: "set shop v2=50% --yes",
        code: 2,
        says: &["canary-split: it is forbidden\n"],
        writes: 1,
    },
    Case {
        case: "somebody else was faster",
        objects: USUAL,
        trouble: Trouble::Overtaken,
        command: "set shop v2=50% --yes",
        code: 1,
        says: &["edge/canary-split: nothing was written: it was changed by somebody else meanwhile; look again"],
        writes: 1,
    },
    Case {
        case: "a plugin that is refused stops no other one",
        objects: |all| add_other(all, "cart"),
        trouble: Trouble::Denied,
        command: "rollback --all --yes",
        code: 1,
        says: &[
            "edge/canary-split: nothing was written: it is forbidden",
            "WasmPlugin edge/other is in force on 1 of 1 gateway pods",
        ],
        writes: 2,
    },
    Case {
        case: "a gateway that does not get it",
        objects: USUAL,
        trouble: Trouble::Lagging,
        command: "set shop v2=50% --yes --timeout 1s",
        code: 1,
        says: &["edge/canary-split is in force on 0 of 1 gateway pods after 1 s; not on:\n  edge/public-istio"],
        writes: 1,
    },
    Case {
        case: "no gateway has the plugin",
        objects: |all| all.retain(|object| object["metadata"]["name"] != "public-istio"),
        trouble: Trouble::None,
        command: "set shop v2=50% --yes",
        code: 1,
        says: &["edge/canary-split is on no gateway pod: nothing is in force; canary-split check --cluster says why"],
        writes: 1,
    },
    Case {
        case: "another rule has a fault",
        objects: |all| rules(all).push(json!({"name": "cart", "subset": "v2", "mach": []})),
        trouble: Trouble::None,
        command: "set shop v2=50% --yes",
        code: 1,
        says: &["rule cart is off", "is in force on 1 of 1 gateway pods"],
        writes: 1,
    },
    Case {
        case: "a rule that cannot be rolled back stops no other one",
        objects: |all| {
            let mut other = rules(all)[0].clone();
            other["name"] = json!("cart");
            rules(all).push(other);
            rules(all)[0]["match"] = json!([{"uri": {}}]);
        },
        trouble: Trouble::None,
        command: "rollback --all --yes",
        code: 1,
        says: &["rule shop has a fault that no rollback can remove", "rule cart: v2 20 → 0"],
        writes: 1,
    },
    Case {
        case: "the only rule cannot be rolled back",
        objects: |all| rules(all)[0]["match"] = json!([{"uri": {}}]),
        trouble: Trouble::None,
        command: "rollback --all --yes",
        code: 1,
        says: &["rule shop has a fault that no rollback can remove"],
        writes: 0,
    },
    Case {
        case: "the gateways refuse the whole config",
        objects: |all| all[0]["spec"]["pluginConfig"]["header"] = json!("Host"),
        trouble: Trouble::None,
        command: "set shop v2=50% --yes",
        code: 1,
        says: &["the filter refuses the whole config of edge/canary-split, and gateways keep what they had: header: "],
        writes: 0,
    },
    Case {
        case: "a plugin whose config is refused stops no other one",
        objects: |all| {
            add_other(all, "cart");
            all[0]["spec"]["pluginConfig"]["header"] = json!("Host");
        },
        trouble: Trouble::None,
        command: "rollback --all --yes",
        code: 1,
        says: &[
            "the filter refuses the whole config of edge/canary-split, and gateways keep what they had: header: ",
            "WasmPlugin edge/other is in force on 1 of 1 gateway pods",
        ],
        writes: 1,
    },
    Case {
        case: "no rule has weights",
        objects: |all| rules(all)[0] = json!({"name": "shop", "hosts": ["shop.acme.io"], "subset": "v2"}),
        trouble: Trouble::None,
        command: "rollback --all --yes",
        code: 2,
        says: &["canary-split: no rule has a split\n"],
        writes: 0,
    },
    Case {
        case: "two plugins have a rule of this name",
        objects: |all| add_other(all, "shop"),
        trouble: Trouble::None,
        command: "rollback shop --yes",
        code: 2,
        says: &["several plugins have a rule shop; choose with --plugin: edge/canary-split, edge/other"],
        writes: 0,
    },
    Case {
        case: "a plugin is chosen by its name",
        objects: |all| add_other(all, "shop"),
        trouble: Trouble::None,
        command: "rollback shop --yes --plugin other",
        code: 0,
        says: &["WasmPlugin edge/other is in force on 1 of 1 gateway pods"],
        writes: 1,
    },
    Case {
        case: "a plugin is chosen by its namespace and name",
        objects: |all| add_other(all, "shop"),
        trouble: Trouble::None,
        command: "rollback shop --yes --plugin edge/other",
        code: 0,
        says: &["WasmPlugin edge/other is in force on 1 of 1 gateway pods"],
        writes: 1,
    },
    Case {
        case: "no plugin has this name",
        objects: |all| add_other(all, "shop"),
        trouble: Trouble::None,
        command: "rollback shop --yes --plugin third",
        code: 2,
        says: &["no plugin third; there are edge/canary-split, edge/other"],
        writes: 0,
    },
];

#[test]
fn a_change_says_what_was_written_and_where_it_is_in_force() {
    for Case { case, objects: differs, trouble, command, code: expected, says, writes } in CASES {
        let mut all = objects("WasmPlugin", 20);
        differs(&mut all);
        let cluster = Cluster::with(all, *trouble);
        let (out, error, code) = cluster.tool(&command.split(' ').collect::<Vec<_>>());
        let said = out + &error;
        assert_eq!((code, cluster.patches().len()), (*expected, *writes), "{case}: {said}");
        for text in *says {
            assert!(said.contains(text), "{case}: {text} is not in {said}");
        }
    }
}

#[test]
fn a_change_is_written_if_somebody_at_the_terminal_agrees() {
    for (answer, is_agreed) in [("y", true), ("YES", true), ("", false), ("n", false), ("yep", false)] {
        let cluster = Cluster::new(objects("WasmPlugin", 20));
        let (tool, kubeconfig) = (env!("CARGO_BIN_EXE_canary-split"), cluster.kubeconfig.0.display());
        let command = format!("{tool} set shop v2=50% --kubeconfig {kubeconfig}");
        let mut script = Command::new("script");
        let script = script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(format!("{answer}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("write this to WasmPlugin edge/canary-split? [y/N]"), "{said}");
        let (writes, code) = if is_agreed { (1, 0) } else { (0, 2) };
        assert_eq!((cluster.patches().len(), output.status.code()), (writes, Some(code)), "{answer}: {said}");
        assert_eq!(said.contains("nothing was written"), !is_agreed, "{answer}: {said}");
    }
}
