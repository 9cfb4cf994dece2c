//! A decision gives its permit once.
fn twice(decision: policy::Decision) {
    let _ = decision.into_permit();
    let _ = decision.into_permit();
}

fn main() {}
