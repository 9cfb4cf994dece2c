//! The lists of the repository load, and a list that is wrong does not.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;

fn parse(rules: &str) -> Result<List, ListError> {
    List::parse(&format!("version = 1\n{rules}"))
}

fn redundant(rules: &str) -> String {
    match parse(rules) {
        Err(ListError::Redundant { call, how }) => format!("{call}: {how}"),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("the list loaded"),
    }
}

#[test]
fn both_lists_load_and_compile_without_a_redundant_rule() {
    for role in Role::ALL {
        let filter = Filter::of(role).unwrap();
        assert!(
            filter.count() >= 2,
            "{role}: one program to refuse and one to allow"
        );
        assert_eq!(filter.digest(), Filter::of(role).unwrap().digest());
    }
}

#[test]
fn the_lists_differ_by_role() {
    let worker = List::parse(text_of(Role::Worker)).unwrap();
    let compile = List::parse(text_of(Role::Compile)).unwrap();
    assert!(!worker.allowed().contains(&"clone"));
    assert!(compile.allowed().contains(&"clone"));
    assert!(worker.allowed().contains(&"openat"));
    assert!(!compile.allowed().contains(&"openat"));
}

#[test]
fn no_list_allows_a_call_that_must_never_be_there() {
    let never = [
        "socket",
        "socketpair",
        "connect",
        "bind",
        "execve",
        "execveat",
        "fork",
        "vfork",
        "clone3",
        "unshare",
        "setns",
        "mount",
        "ptrace",
        "io_uring_setup",
        "bpf",
        "seccomp",
        "memfd_create",
        "pkey_mprotect",
        "process_vm_readv",
        "pidfd_open",
        "kill",
        "tkill",
        "open_by_handle_at",
        "userfaultfd",
        "personality",
        "shmat",
        "chroot",
        "pivot_root",
    ];
    for role in Role::ALL {
        let list = List::parse(text_of(role)).unwrap();
        for call in never {
            assert!(!list.allowed().contains(&call), "{role} allows {call}");
        }
    }
}

#[test]
fn every_way_to_executable_memory_has_its_condition() {
    for role in Role::ALL {
        let list = List::parse(text_of(role)).unwrap();
        for rule in &list.0.allow {
            if rule.call != "mmap" && rule.call != "mprotect" {
                continue;
            }
            let masked = rule.args.iter().any(|arg| {
                arg.index == 2
                    && arg.mask.as_ref().unwrap().value() == Ok(4)
                    && arg.equals.as_ref().unwrap().value() == Ok(0)
            });
            assert!(masked, "{role}: {} without PROT_EXEC masked", rule.call);
        }
    }
}

#[test]
fn a_rule_twice_is_found() {
    let once = "[[allow]]\ncall = \"read\"\nwhy = \"x\"\n";
    assert!(redundant(&format!("{once}{once}")).starts_with("read: another rule has the call"));
}

#[test]
fn a_narrow_rule_beside_a_wide_one_is_found_in_either_order() {
    let wide = "[[allow]]\ncall = \"ioctl\"\nwhy = \"x\"\n";
    let narrow = "[[allow]]\ncall = \"ioctl\"\nwhy = \"x\"\n\
                  args = [{ index = 1, width = 32, equals = 3 }]\n";
    assert!(redundant(&format!("{wide}{narrow}")).contains("without conditions"));
    assert!(redundant(&format!("{narrow}{wide}")).contains("include one another"));
}

#[test]
fn one_value_of_two_rules_is_found() {
    let rule = |values: &str| {
        format!(
            "[[allow]]\ncall = \"fcntl\"\nwhy = \"x\"\n\
             args = [{{ index = 1, width = 32, any_of = {values} }}]\n"
        )
    };
    let both = format!("{}{}", rule("[1, 2]"), rule("[2, 3]"));
    assert!(redundant(&both).contains("same conditions"));
    assert!(redundant(&rule("[1, 1]")).contains("twice"));
    parse(&format!("{}{}", rule("[1, 2]"), rule("[3]"))).unwrap();
}

#[test]
fn a_call_both_allowed_and_refused_is_found() {
    let both = "[[allow]]\ncall = \"socket\"\nwhy = \"x\"\n\
                [[refuse]]\ncall = \"socket\"\nerrno = \"EPERM\"\nwhy = \"x\"\n";
    assert!(redundant(both).contains("without conditions"));
}

#[test]
fn a_rule_without_a_reason_does_not_load() {
    let error = parse("[[allow]]\ncall = \"read\"\nwhy = \" \"\n").unwrap_err();
    assert!(matches!(error, ListError::NoReason(call) if call == "read"));
}

#[test]
fn unknown_keys_constants_and_calls_are_errors() {
    let unknown_key = "[[allow]]\ncall = \"read\"\nwhy = \"x\"\nnote = 1\n";
    assert!(matches!(parse(unknown_key), Err(ListError::Syntax(_))));
    let constant = "[[allow]]\ncall = \"ioctl\"\nwhy = \"x\"\n\
                    args = [{ index = 1, width = 32, equals = \"NO_SUCH\" }]\n";
    assert!(matches!(parse(constant), Err(ListError::Condition { .. })));
    let call = parse("[[allow]]\ncall = \"no_such_call\"\nwhy = \"x\"\n").unwrap();
    let error = Filter::compile(Role::Worker, &call).unwrap_err();
    assert!(error.to_string().contains("no_such_call"), "{error}");
}
