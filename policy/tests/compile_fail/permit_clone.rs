//! One decision, one run: a permit cannot be doubled.
fn twice(permit: policy::Permit) -> (policy::Permit, policy::Permit) {
    (permit.clone(), permit)
}

fn main() {}
