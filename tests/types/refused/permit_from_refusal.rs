//! A refusal gives no permit, however it is taken apart.

pub fn insist(refusal: policy::Refusal) {
    match refusal {
        policy::Refusal::Held(decision) | policy::Refusal::Denied(decision) => {
            let _grant = decision.judgement; //~ E0616: field `judgement` of struct `Decision` is private
        }
    }
}
