//! A profile comes from a reviewed file.

pub fn forge() -> policy::Profile {
    policy::Profile { name: "host".to_owned() } //~ private fields
}
