//! A refusal gives no permit, however it is taken apart.
fn insist(refusal: policy::Refusal) -> policy::Permit {
    match refusal {
        policy::Refusal::Held(decision) | policy::Refusal::Denied(decision) => decision.judgement.grant,
    }
}

fn main() {}
