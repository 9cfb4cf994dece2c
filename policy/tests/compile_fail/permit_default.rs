//! There is no empty permit.
fn main() {
    let _: policy::Permit = Default::default();
}
