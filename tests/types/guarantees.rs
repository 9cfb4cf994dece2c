//! The guarantees that the types carry: each file here forgets a step, and must
//! not compile. The first one forgets nothing, so that the others fail for the
//! step and not for a typing error.

#[test]
fn forgetting_a_step_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("types/nothing_forgotten.rs");
    cases.compile_fail("types/forgets_*.rs");
}
