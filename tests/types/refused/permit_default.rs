//! There is no empty permit.

pub fn empty() -> policy::Permit {
    Default::default() //~ E0277: the trait bound `Permit: Default` is not satisfied
}
