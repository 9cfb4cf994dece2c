//! Authority cannot be written down either.

pub fn forge(profile: std::sync::Arc<policy::Profile>, limits: policy::Limits) -> policy::Grant {
    policy::Grant { profile, runtime: "python".into(), limits } //~ private fields
}
