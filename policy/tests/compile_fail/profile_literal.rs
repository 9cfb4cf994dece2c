//! A profile comes from a reviewed file.
fn forge() -> policy::Profile {
    policy::Profile { name: "host".to_owned() }
}

fn main() {}
