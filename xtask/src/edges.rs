//! The direction in which our crates depend on each other, checked.
//!
//! ```text
//!            ┌───────── harness ─────────┐        worker
//!            ▼             ▼             ▼          │
//!         policy ◄───── executor ─────► audit       │  (worker ─► executor)
//!            ▲           │     │                    │  (harness ─► agent)
//!            │           ▼     ▼                    │
//!          egress      jail  guest-sdk ◄────────────┘
//! ```
//! `harness` depends on `egress` too.
//!
//! Reads `cargo metadata`, never a manifest. A new edge of any kind (normal,
//! build or dev), a new crate, and a daemon that links the code generator fail,
//! each with a line that names it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::failure::Failure;
use crate::workspace::Workspace;

/// Which of our crates each crate may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("policy", &[]),
    ("jail", &[]),
    ("audit", &[]),
    ("guest-sdk", &[]),
    ("container-init", &[]),
    (
        "executor",
        &["policy", "jail", "audit", "guest-sdk", "container-init"],
    ),
    ("egress", &["policy"]),
    ("worker", &["executor", "jail", "guest-sdk"]),
    ("agent", &[]),
    (
        "harness",
        &["policy", "executor", "audit", "egress", "agent"],
    ),
    ("xtask", &[]),
];

/// The one crate that may look at every other.
const OBSERVER: &str = "appliance-tests";

/// The daemon, and what must not be linked into it: it generates machine code.
const DAEMON: &str = "harness";
const CODE_GENERATORS: [&str; 2] = ["wasmtime", "cranelift-codegen"];

/// Fails with a line for each edge that should not be there.
pub(crate) fn check(workspace: &Workspace) -> Result<(), Failure> {
    let graph = Graph::read(&workspace.resolved()?)?;
    let faults: Vec<String> = new_edges(&graph)
        .into_iter()
        .chain(code_generators(&graph))
        .collect();
    for fault in &faults {
        println!("{fault}");
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "{} edges between crates should not be there: remove them, or record the decision in docs/decisions and edit ALLOWED in xtask/src/edges.rs",
        faults.len()
    )))
}

/// The resolved dependencies of all packages.
struct Graph {
    /// Package id to name.
    names: BTreeMap<String, String>,
    /// Ids of our own crates.
    members: BTreeSet<String>,
    /// From id, to id.
    edges: Vec<Edge>,
}

struct Edge {
    from: String,
    to: String,
    /// Part of what is built for the crate itself, not only for its tests.
    linked: bool,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Self, Failure> {
        let broken = || Failure::answer("cargo metadata", "in a form that is not known here");
        let names = list(metadata.get("packages"))
            .map(|package| Some((text(package, "id")?, text(package, "name")?)))
            .collect::<Option<_>>()
            .ok_or_else(broken)?;
        let members = list(metadata.get("workspace_members"))
            .map(|id| id.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(broken)?;
        let edges = list(metadata.pointer("/resolve/nodes"))
            .map(edges_of)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(broken)?
            .concat();
        let graph = Self {
            names,
            members,
            edges: edges.into_iter().map(Edge::from).collect(),
        };
        if graph.edges.is_empty() || graph.members.is_empty() {
            return Err(broken());
        }
        Ok(graph)
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    /// Edges between two of our own crates.
    fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edges
            .iter()
            .filter(|edge| self.members.contains(&edge.from) && self.members.contains(&edge.to))
            .map(|edge| (self.name(&edge.from), self.name(&edge.to)))
    }

    /// Everything that is linked into `start`, each with the way to it.
    fn linked_into(&self, start: &str) -> BTreeMap<&str, String> {
        let mut ways = BTreeMap::new();
        let mut open: Vec<&str> = self
            .members
            .iter()
            .map(String::as_str)
            .filter(|id| self.name(id) == start)
            .collect();
        for id in &open {
            ways.insert(*id, start.to_owned());
        }
        while let Some(from) = open.pop() {
            let way = ways.get(from).cloned().unwrap_or_default();
            for edge in self
                .edges
                .iter()
                .filter(|edge| edge.linked && edge.from == from)
            {
                if !ways.contains_key(edge.to.as_str()) {
                    ways.insert(&edge.to, format!("{way} -> {}", self.name(&edge.to)));
                    open.push(&edge.to);
                }
            }
        }
        ways
    }
}

fn new_edges(graph: &Graph) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let unknown = graph.members.iter().map(|id| graph.name(id));
    let unknown = unknown
        .filter(|name| *name != OBSERVER && !allowed.contains_key(name))
        .map(|name| format!("new crate: `{name}` has no place in the direction of dependencies"));
    let edges = graph.own().filter(|(from, to)| {
        *from != OBSERVER && !allowed.get(from).is_some_and(|may| may.contains(to))
    });
    unknown
        .chain(edges.map(|(from, to)| format!("new edge: `{from}` may not depend on `{to}`")))
        .collect()
}

fn code_generators(graph: &Graph) -> Vec<String> {
    graph
        .linked_into(DAEMON)
        .into_iter()
        .filter(|(id, _)| CODE_GENERATORS.contains(&graph.name(id)))
        .map(|(_, way)| format!("the daemon links a code generator: {way}"))
        .collect()
}

type RawEdge = (String, String, bool);

impl From<RawEdge> for Edge {
    fn from((from, to, linked): RawEdge) -> Self {
        Self { from, to, linked }
    }
}

fn edges_of(node: &Value) -> Option<Vec<RawEdge>> {
    let from = text(node, "id")?;
    list(node.get("deps"))
        .map(|dep| Some((from.clone(), text(dep, "pkg")?, is_linked(dep))))
        .collect()
}

/// A dependency of kind null is a normal one; all others are for tests and build
/// scripts.
fn is_linked(dep: &Value) -> bool {
    list(dep.get("dep_kinds")).any(|kind| kind.get("kind").is_some_and(Value::is_null))
}

fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    /// A graph of our own crates (lower case) and foreign ones, by name alone.
    fn graph(edges: &[(&str, &str, Option<&str>)]) -> Graph {
        let names: BTreeSet<&str> = edges
            .iter()
            .flat_map(|(from, to, _)| [*from, *to])
            .collect();
        let foreign = |name: &str| name.starts_with("wasmtime") || name == "serde";
        let nodes: Vec<Value> = edges
            .iter()
            .map(|(from, to, kind)| {
                json!({"id": from, "deps": [{"pkg": to, "dep_kinds": [{"kind": kind}]}]})
            })
            .collect();
        Graph::read(&json!({
            "packages": names.iter().map(|name| json!({"id": name, "name": name})).collect::<Vec<_>>(),
            "workspace_members": names.iter().filter(|name| !foreign(name)).collect::<Vec<_>>(),
            "resolve": {"nodes": nodes},
        }))
        .unwrap()
    }

    #[test]
    fn the_design_passes() {
        let graph = graph(&[
            ("executor", "policy", None),
            ("worker", "wasmtime", None),
            ("harness", "serde", None),
            ("appliance-tests", "jail", Some("dev")),
        ]);
        assert!(new_edges(&graph).is_empty());
        assert!(code_generators(&graph).is_empty());
    }

    #[test]
    fn a_new_edge_is_found_even_in_tests() {
        let graph = graph(&[("policy", "audit", Some("dev"))]);
        assert_eq!(
            new_edges(&graph),
            ["new edge: `policy` may not depend on `audit`"]
        );
    }

    #[test]
    fn a_new_crate_is_found() {
        let graph = graph(&[("stranger", "serde", None)]);
        assert_eq!(new_edges(&graph).len(), 1);
    }

    #[test]
    fn a_code_generator_in_the_daemon_is_found_with_its_way() {
        let found = graph(&[
            ("harness", "executor", None),
            ("executor", "wasmtime", None),
        ]);
        assert_eq!(
            code_generators(&found),
            ["the daemon links a code generator: harness -> executor -> wasmtime"]
        );
        let tests_only = graph(&[
            ("harness", "executor", None),
            ("executor", "wasmtime", Some("dev")),
        ]);
        assert!(code_generators(&tests_only).is_empty());
    }

    #[test]
    fn an_empty_answer_is_not_a_pass() {
        assert!(Graph::read(&json!({})).is_err());
    }
}
