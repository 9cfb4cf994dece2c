//! The guarantees that the types carry: each file in `refused` forgets a step or forges what only
//! one place can make, and must not compile. One forgets nothing, so that the others fail for the
//! step and not for a typing error: it is a part of this test, which could not be built without it.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "admission.rs"]
mod admission;
#[path = "nothing_forgotten.rs"]
mod nothing_forgotten;

use std::path::{Path, PathBuf};

use appliance_tests::compiler::Libraries;

/// Fewer, and some were lost on the way.
const CASES: usize = 15;

#[test]
fn what_forgets_or_forges_a_step_does_not_compile() {
    nothing_forgotten::all();
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let names = ["audit", "executor", "harness", "policy", "tokio_util"];
    let libraries = Libraries::find(&names, scratch.path());
    let cases = cases();
    assert!(cases.len() >= CASES, "{} cases", cases.len());
    let faults: Vec<String> = cases
        .iter()
        .flat_map(|case| libraries.faults(case))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    control_a_file_that_compiles_is_a_fault(&libraries, scratch.path());
}

fn control_a_file_that_compiles_is_a_fault(libraries: &Libraries, scratch: &Path) {
    let case = scratch.join("in_order.rs");
    let text = "pub fn id(decision: &policy::Decision) -> policy::CallId {\n    \
                decision.call_id() //~ E0616\n}\n";
    std::fs::write(&case, text).unwrap();
    let faults = libraries.faults(&case);
    assert!(
        matches!(faults.as_slice(), [one] if one.ends_with("`E0616` was not said")),
        "{faults:?}"
    );
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("types/refused");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}
