//! Plans that must not run, hosts that lack a layer, and what is seen from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output};
use std::str::FromStr as _;

use jail::{JailError, Layer, Observed, Plan, PlanError, Report, Role};

#[path = "../src/bin/jail-probe/launch.rs"]
mod launch;
#[path = "../src/bin/jail-probe/wire.rs"]
#[expect(dead_code, reason = "each test file uses a part")]
mod wire;

use launch::{Launched, command};
use wire::{Answer, Request};

const PROBE: &str = env!("CARGO_BIN_EXE_jail-probe");

fn start(plan: Plan) -> (Launched, Answer) {
    let mut request = Request::new(plan);
    request.act = "nothing".into();
    let mut launched = Launched::start(&mut command(Path::new(PROBE)), &request).unwrap();
    let answer = launched.answer().unwrap().unwrap();
    (launched, answer)
}

/// The reason that the plan does not run.
fn refused(plan: Plan) -> String {
    let (mut launched, answer) = start(plan);
    let Answer::Failed(reason) = answer else {
        panic!("it runs: {answer:?}");
    };
    assert_eq!(launched.keeper.wait().unwrap().code(), Some(125));
    reason
}

fn confined(plan: &Plan) -> (Launched, Report, Observed) {
    let (launched, answer) = start(plan.clone());
    let Answer::Ready(report, _) = answer else {
        panic!("it does not run: {answer:?}");
    };
    let observed = jail::observe(launched.pid.unwrap()).unwrap();
    (launched, *report, observed)
}

fn probe(words: &[&str]) -> Output {
    Command::new(PROBE).args(words).output().unwrap()
}

#[test]
fn a_landlock_abi_that_no_kernel_has_does_not_run_and_says_so() {
    let mut plan = Plan::strict(Role::Worker);
    plan.landlock_min_abi = 99;
    let reason = refused(plan);
    assert!(
        reason.contains("layer `landlock` cannot be had"),
        "{reason}"
    );
    assert!(reason.contains("the plan wants ABI 99"), "{reason}");
}

#[test]
fn an_unknown_layer_does_not_parse_and_is_named() {
    let mut plan = serde_json::to_value(Plan::strict(Role::Worker)).unwrap();
    *plan.get_mut("layers").unwrap().get_mut(0).unwrap() = "force_field".into();
    let error = serde_json::from_value::<Plan>(plan)
        .unwrap_err()
        .to_string();
    assert!(error.contains("force_field"), "{error}");
    let error = Layer::from_str("force_field").unwrap_err();
    assert_eq!(error, PlanError::UnknownLayer("force_field".into()));
}

#[test]
fn an_unknown_key_does_not_parse() {
    let mut plan = serde_json::to_value(Plan::strict(Role::Worker)).unwrap();
    plan.as_object_mut()
        .unwrap()
        .insert("best_effort".into(), true.into());
    let error = serde_json::from_value::<Plan>(plan)
        .unwrap_err()
        .to_string();
    assert!(error.contains("best_effort"), "{error}");
}

#[test]
fn a_plan_without_what_the_others_rest_on_does_not_run() {
    for layer in Layer::ALWAYS {
        let mut plan = Plan::strict(Role::Worker);
        plan.layers.remove(&layer);
        assert!(refused(plan).contains(&format!("layer `{layer}` cannot be left out")));
    }
}

#[test]
fn a_number_that_would_mean_no_limit_does_not_run() {
    for number in [0, u64::MAX] {
        let mut plan = Plan::strict(Role::Worker);
        plan.workspace.bytes = number;
        assert!(refused(plan).contains("`workspace.bytes`"));
    }
    let mut plan = Plan::strict(Role::Worker);
    plan.uid = 0;
    assert!(refused(plan).contains("as root"));
}

#[test]
fn a_process_with_threads_may_not_enter() {
    // This one: the test harness runs each test on a thread of its own.
    let nowhere = OwnedFd::from(fs::File::open("/dev/null").unwrap());
    let error = jail::enter(&Plan::strict(Role::Worker), nowhere).unwrap_err();
    assert!(
        matches!(error, JailError::Threads(threads) if threads > 1),
        "{error}"
    );
}

#[test]
fn on_a_host_without_a_layer_the_plan_does_not_run_and_doctor_says_the_same() {
    for layer in Layer::ALL {
        let name = layer.name();
        let run = probe(&["lacking", name, "jailed", "nothing"]);
        let error = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{name}: it ran");
        assert!(
            error.contains(&format!("layer `{name}` cannot be had")),
            "{name}: {error}"
        );

        let doctor = String::from_utf8(probe(&["lacking", name, "host"]).stdout).unwrap();
        let line = doctor
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap();
        assert!(line.contains("Absent"), "{line}");
    }
    // The control: nothing is taken away.
    assert!(probe(&["jailed", "nothing"]).status.success());
}

#[test]
fn a_layer_that_is_left_out_by_name_is_not_missed_on_a_host_without_it() {
    for layer in Layer::ALL {
        // Without Landlock or seccomp there is nothing that no_new_privs holds up, but it stays.
        if Layer::ALWAYS.contains(&layer) {
            continue;
        }
        let name = layer.name();
        let words = ["lacking", name, "jailed", "nothing", "--without", name];
        let run = probe(&words);
        assert!(
            run.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

#[test]
fn doctor_lists_every_layer_of_this_host() {
    let states = jail::host();
    let layers: Vec<_> = states.iter().map(|state| state.layer).collect();
    assert_eq!(layers, Layer::ALL);
    for state in &states {
        assert!(matches!(state.state, jail::State::Present(_)), "{state:?}");
        assert!(!state.remedy.is_empty());
    }
}

#[test]
fn what_is_observed_is_what_proc_says() {
    let plan = Plan::strict(Role::Worker);
    let (launched, _, seen) = confined(&plan);
    let pid = launched.pid.unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |key: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(&format!("{key}:")));
        line.unwrap().split_once(':').unwrap().1.trim().to_owned()
    };
    assert_eq!(field("Seccomp"), seen.seccomp_mode.to_string());
    assert_eq!(field("Seccomp_filters"), seen.seccomp_filters.to_string());
    assert_eq!(field("NoNewPrivs"), "1");
    assert!(seen.no_new_privs);
    for (set, bits) in &seen.capabilities {
        assert_eq!(field(set), format!("{bits:016x}"));
        assert_eq!(*bits, 0, "{set}");
    }
    assert_eq!(field("Threads"), seen.threads.to_string());
    assert_eq!(field("PPid"), launched.keeper.id().to_string());
    assert_eq!(seen.parent, launched.keeper.id());
    assert_eq!(field("NSpid").split_whitespace().last(), Some("1"));
    for (name, inode) in &seen.namespaces {
        let of = seen.namespaces_of;
        let file = if of == pid || name != "pid" {
            name
        } else {
            "pid_for_children"
        };
        let link = fs::read_link(format!("/proc/{of}/ns/{file}")).unwrap();
        assert_eq!(link.to_str().unwrap(), format!("{name}:[{inode}]"));
        let ours = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
        assert_ne!(link, ours, "{name} is the tests' own");
    }
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for (name, limit) in &seen.rlimits {
        let line = limits
            .lines()
            .find(|line| line.starts_with(name.as_str()))
            .unwrap();
        if let Some(soft) = limit.soft {
            assert!(
                line.split_whitespace().any(|word| word == soft.to_string()),
                "{line}"
            );
        }
    }
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
    assert_eq!(mounts.lines().count(), seen.mounts.len());
}

#[test]
fn report_and_observation_agree() {
    let plan = Plan::strict(Role::Worker);
    let (_launched, report, seen) = confined(&plan);
    let own = jail::own().unwrap();
    seen.verify(&plan, &own).unwrap();
    assert_eq!(
        seen.seccomp_filters,
        own.seccomp_filters + report.seccomp_filters
    );
    assert_eq!(report.layers, Vec::from_iter(plan.layers));
    assert_eq!(report.seccomp_digest.len(), 64);
    assert!(report.landlock_abi >= 2);
    assert!(report.landlock_handled.contains(&"Execute".to_owned()));
    assert!(!report.landlock_granted.contains(&"Execute".to_owned()));
    for layer in [
        Layer::EmptyRoot,
        Layer::NoCapabilities,
        Layer::Landlock,
        Layer::Seccomp,
    ] {
        assert!(
            report.self_check.iter().any(|check| check.layer == layer),
            "{layer}"
        );
    }
}

#[test]
fn a_process_outside_the_jail_does_not_verify() {
    let own = jail::own().unwrap();
    let missing = own.verify(&Plan::strict(Role::Worker), &own).unwrap_err();
    assert_eq!(missing.layer, Layer::UserNamespace);
}

/// Changes what was seen, given what the tests' own process has.
type Spoil = fn(&mut Observed, &Observed);

#[test]
fn each_layer_that_is_gone_is_named() {
    let plan = Plan::strict(Role::Worker);
    let (_launched, _, good) = confined(&plan);
    let own = jail::own().unwrap();
    let spoil: [(Layer, Spoil); 17] = [
        (Layer::UserNamespace, |seen, own| share(seen, own, "user")),
        (Layer::UserNamespace, |seen, _| seen.uids = vec![0; 4]),
        (Layer::UserNamespace, |seen, _| {
            seen.uid_map = "0 0 4294967295".into()
        }),
        (Layer::MountNamespace, |seen, own| share(seen, own, "mnt")),
        (Layer::PidNamespace, |seen, own| share(seen, own, "pid")),
        (Layer::PidNamespace, |seen, _| seen.pids.truncate(1)),
        (Layer::NetNamespace, |seen, own| share(seen, own, "net")),
        (Layer::IpcNamespace, |seen, own| share(seen, own, "ipc")),
        (Layer::UtsNamespace, |seen, own| share(seen, own, "uts")),
        (Layer::CgroupNamespace, |seen, own| {
            share(seen, own, "cgroup")
        }),
        (Layer::EmptyRoot, |seen, own| {
            seen.mounts = own.mounts.clone()
        }),
        (Layer::EmptyRoot, |seen, _| {
            seen.mounts
                .iter_mut()
                .for_each(|m| m.flags.retain(|f| f != "noexec"))
        }),
        (Layer::Rlimits, |seen, own| {
            seen.rlimits = own.rlimits.clone()
        }),
        (Layer::NoNewPrivs, |seen, _| seen.no_new_privs = false),
        (Layer::NoCapabilities, |seen, _| {
            seen.capabilities.extend([("CapBnd".to_owned(), 1)])
        }),
        (Layer::Seccomp, |seen, _| seen.seccomp_mode = 0),
        (Layer::Seccomp, |seen, _| seen.seccomp_filters -= 1),
    ];
    for (layer, spoil) in spoil {
        let mut seen = good.clone();
        spoil(&mut seen, &own);
        assert_ne!(seen, good);
        let missing = seen.verify(&plan, &own).unwrap_err();
        assert_eq!(missing.layer, layer, "{missing}");
    }
}

fn share(seen: &mut Observed, own: &Observed, name: &str) {
    let ours = *own.namespaces.get(name).unwrap();
    seen.namespaces.insert(name.into(), ours);
}

#[test]
fn a_process_that_has_ended_cannot_be_observed() {
    let (mut launched, _, _) = confined(&Plan::strict(Role::Worker));
    let pid = launched.pid.unwrap();
    launched.go().unwrap();
    launched.keeper.wait().unwrap();
    assert!(jail::observe(pid).is_err());
}

#[test]
fn the_bounds_of_the_plan_are_those_of_the_file_systems() {
    let mut plan = Plan::strict(Role::Worker);
    plan.workspace.bytes = 5 * 4096;
    plan.workspace.inodes = 7;
    let (launched, _, seen) = confined(&plan);
    let own = jail::own().unwrap();
    seen.verify(&plan, &own).unwrap();
    let options = &seen.mounts.get(1).unwrap().options;
    assert!(options.contains(&"size=20k".into()), "{options:?}");
    assert!(options.contains(&"nr_inodes=7".into()), "{options:?}");
    drop(launched);
    // A plan with other numbers is not the one that is in force.
    plan.workspace.inodes = 8;
    assert_eq!(
        seen.verify(&plan, &own).unwrap_err().layer,
        Layer::EmptyRoot
    );
}
