//! A grant cannot be widened after the decision.

pub fn widen(permit: &mut policy::Permit) {
    permit.grant().limits().wall_ms = u64::MAX; //~ E0594
}
