//! The guarantees that the types carry: each file here forgets a step, and must
//! not compile. One forgets nothing, so that the others fail for the step and not for
//! a typing error: it is a part of this test, which could not be built without it.

#[path = "nothing_forgotten.rs"]
mod nothing_forgotten;

#[test]
fn forgetting_a_step_does_not_compile() {
    nothing_forgotten::all();
    trybuild::TestCases::new().compile_fail("types/forgets_*.rs");
}
