//! Authority cannot be written down either.
fn forge(profile: std::sync::Arc<policy::Profile>, limits: policy::Limits) -> policy::Grant {
    policy::Grant { profile, runtime: "python".to_owned(), limits }
}

fn main() {}
