//! Makes the host one that lacks a layer, as a container's profile does: the system call
//! that the layer needs is answered with an error, for this process and all it starts.

use jail::Layer;
use seccompiler::TargetArch;
use serde_json::{Value, json};

/// Takes the layer away for good.
pub(crate) fn take_away(layer: Layer) -> Result<(), String> {
    let rule = match layer {
        Layer::UserNamespace => unshare(libc::CLONE_NEWUSER),
        Layer::MountNamespace => unshare(libc::CLONE_NEWNS),
        Layer::PidNamespace => unshare(libc::CLONE_NEWPID),
        Layer::NetNamespace => unshare(libc::CLONE_NEWNET),
        Layer::IpcNamespace => unshare(libc::CLONE_NEWIPC),
        Layer::UtsNamespace => unshare(libc::CLONE_NEWUTS),
        Layer::CgroupNamespace => unshare(libc::CLONE_NEWCGROUP),
        Layer::EmptyRoot => json!({ "syscall": "pivot_root" }),
        // Setting, not asking: the new limit is given.
        Layer::Rlimits => argument("prlimit64", 2, &json!("ne"), 0),
        Layer::NoNewPrivs => argument("prctl", 0, &json!("eq"), libc::PR_SET_NO_NEW_PRIVS as u64),
        Layer::NoCapabilities => json!({ "syscall": "capset" }),
        Layer::Landlock => json!({ "syscall": "landlock_create_ruleset" }),
        Layer::Seccomp => json!({ "syscall": "seccomp" }),
    };
    install(&rule)
}

fn unshare(flag: i32) -> Value {
    argument("unshare", 0, &json!({ "masked_eq": flag }), flag as u64)
}

fn argument(call: &str, index: u8, op: &Value, value: u64) -> Value {
    json!({
        "syscall": call,
        "args": [{ "index": index, "type": "dword", "op": op, "val": value }],
    })
}

fn install(rule: &Value) -> Result<(), String> {
    let refuse = json!({ "errno": libc::EPERM });
    let filter = json!({
        "lacking": { "mismatch_action": "allow", "match_action": refuse, "filter": [rule] }
    });
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let programs = seccompiler::compile_from_json(filter.to_string().as_bytes(), arch);
    for program in programs.map_err(|e| e.to_string())?.values() {
        seccompiler::apply_filter(program).map_err(|e| e.to_string())?;
    }
    Ok(())
}
