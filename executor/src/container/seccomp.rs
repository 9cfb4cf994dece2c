//! The list of system calls for guests on the host's kernel, from `profiles/seccomp/container.toml`
//! to the form that Docker takes. gVisor answers system calls itself and takes no list.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::runtime::hex::sha256;

/// The lists that this program carries, by name.
const LISTS: [(&str, &str); 1] = [(
    "container",
    include_str!("../../../profiles/seccomp/container.toml"),
)];

/// What a refused call is answered with.
const EPERM: u32 = 1;

/// A list of system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seccomp {
    name: &'static str,
    docker_json: String,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: u32,
    allow: Vec<Rule>,
    answer: Vec<Answer>,
}

/// Calls that are let through.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    calls: Vec<String>,
    /// Let through only when this holds.
    argument: Option<Argument>,
    #[serde(rename = "why")]
    _why: String,
}

/// Calls that are answered with another error than the usual one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    calls: Vec<String>,
    errno: u32,
    #[serde(rename = "why")]
    _why: String,
}

/// What an argument of a call must be.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Argument {
    index: u32,
    /// The bits that are looked at; all where it is left out.
    mask: Option<u64>,
    equals: u64,
}

impl Seccomp {
    /// The list of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (name, text) = LISTS.into_iter().find(|(known, _)| *known == name)?;
        let list: List = toml::from_str(text).ok()?;
        (list.version == 1).then(|| Self {
            name,
            docker_json: list.docker().to_string(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What Docker is given.
    #[must_use]
    pub fn docker_json(&self) -> &str {
        &self.docker_json
    }

    /// Digest of what Docker is given.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.docker_json.as_bytes())
    }
}

impl List {
    fn docker(&self) -> Value {
        let allowed = self.allow.iter().map(|rule| {
            json!({"names": rule.calls, "action": "SCMP_ACT_ALLOW", "args": args(rule.argument)})
        });
        let answered = self.answer.iter().map(|answer| {
            json!({
                "names": answer.calls,
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": answer.errno,
                "args": [],
            })
        });
        json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": EPERM,
            "syscalls": allowed.chain(answered).collect::<Vec<Value>>(),
        })
    }
}

fn args(argument: Option<Argument>) -> Vec<Value> {
    let arg = |one: Argument| match one.mask {
        Some(mask) => json!({
            "index": one.index,
            "value": mask,
            "valueTwo": one.equals,
            "op": "SCMP_CMP_MASKED_EQ",
        }),
        None => json!({"index": one.index, "value": one.equals, "op": "SCMP_CMP_EQ"}),
    };
    argument.into_iter().map(arg).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn list() -> List {
        toml::from_str(LISTS[0].1).unwrap()
    }

    #[test]
    fn the_list_is_read_and_every_rule_has_its_reason() {
        assert!(Seccomp::named("container").is_some());
        assert!(Seccomp::named("other").is_none());
        for rule in list().allow {
            assert!(rule._why.len() > 10 && !rule.calls.is_empty(), "{rule:?}");
        }
    }

    /// A call that stands in two rules is let through by the wider one: the narrower is redundant.
    #[test]
    fn no_rule_is_redundant() {
        let list = list();
        let mut seen: BTreeMap<&str, Vec<Option<String>>> = BTreeMap::new();
        for rule in &list.allow {
            for call in &rule.calls {
                let condition = rule.argument.map(|argument| format!("{argument:?}"));
                seen.entry(call).or_default().push(condition);
            }
        }
        for (call, conditions) in &seen {
            let mut distinct = conditions.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!(
                distinct.len(),
                conditions.len(),
                "{call} stands there twice"
            );
            let bare = conditions.iter().any(Option::is_none);
            assert!(
                !bare || conditions.len() == 1,
                "{call} has a rule that says nothing new"
            );
        }
        for answer in list.answer {
            for call in &answer.calls {
                assert!(
                    !seen.contains_key(call.as_str()),
                    "{call} is allowed and answered"
                );
            }
        }
    }

    #[test]
    fn what_guests_have_no_business_with_is_not_let_through() {
        let list = list();
        let allowed: Vec<&str> = list
            .allow
            .iter()
            .flat_map(|rule| rule.calls.iter().map(String::as_str))
            .collect();
        for call in [
            "bpf",
            "io_uring_setup",
            "keyctl",
            "add_key",
            "request_key",
            "userfaultfd",
            "perf_event_open",
            "ptrace",
            "process_vm_readv",
            "mount",
            "umount2",
            "pivot_root",
            "unshare",
            "setns",
            "open_by_handle_at",
            "kexec_load",
            "init_module",
            "finit_module",
            "reboot",
            "swapon",
            "clock_settime",
            "settimeofday",
            "clock_adjtime",
            "syslog",
            "chroot",
            "fsopen",
            "fsmount",
            "move_mount",
            "open_tree",
            "pidfd_getfd",
            "iopl",
            "ioperm",
            "acct",
            "quotactl",
            "fanotify_init",
            "lookup_dcookie",
            "mknod",
            "mknodat",
        ] {
            assert!(!allowed.contains(&call), "{call}");
        }
    }
}
