//! Hostile programs of a public corpus, and our own, against the sandbox.
//!
//! Every pull request runs a fixed subset over all categories; the whole corpus
//! is `cargo xtask redcode`. The same programs run natively in an identical
//! throwaway arena: a canary that no control hits fails the test.

use std::path::Path;

use appliance_tests::arena::{self, Side};
use appliance_tests::redcode::{self, Proof};
use appliance_tests::{corpus, sha256_hex};

/// Programs of each category in the subset: about sixty with our own.
const EACH: usize = 4;

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_redcode"))
}

fn can_run() -> bool {
    match arena::available() {
        Ok(()) => true,
        Err(why) => {
            corpus::skip(&why);
            false
        }
    }
}

#[test]
fn hostile_programs_change_read_and_reach_nothing() {
    if !can_run() {
        return;
    }
    let mut cases = redcode::own_programs();
    if let Some(corpus) = corpus::load("redcode-exec-python") {
        cases.extend(redcode::subset(&corpus, EACH));
    }
    let sides = [Side::Control, Side::Sandboxed];
    let outcome = redcode::run(helper(), &cases, &sides, Proof::Places);
    println!("{}", outcome.table());
    let failures = outcome.failures();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Our own programs alone must reach every kind of canary, so that the test
/// above has its controls where the corpus is absent.
#[test]
fn control_every_kind_of_canary_is_hit_by_our_own_programs_natively() {
    if !can_run() {
        return;
    }
    let cases = redcode::own_programs();
    let before = sha256_hex(&std::fs::read("/etc/passwd").unwrap_or_default());
    let outcome = redcode::run(helper(), &cases, &[Side::Control], Proof::Places);
    let failures = outcome.failures();
    assert!(
        failures.is_empty(),
        "{}\n{}",
        failures.join("\n"),
        outcome.places()
    );
    let after = sha256_hex(&std::fs::read("/etc/passwd").unwrap_or_default());
    assert_eq!(before, after, "the control stays in its arena");
}
