//! One decision, one run: a permit cannot be doubled.

pub fn twice(permit: policy::Permit) -> (policy::Permit, policy::Permit) {
    (permit.clone(), permit) //~ E0599: no method named `clone` found for struct `Permit`
}
