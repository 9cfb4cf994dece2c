//! A decision gives its permit once.

pub fn twice(decision: policy::Decision) {
    let _first = decision.into_permit();
    let _second = decision.into_permit(); //~ E0382: use of moved value: `decision`
}
