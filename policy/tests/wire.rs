//! A permit, or the authority in it, is never read from bytes. That neither can be written down is
//! shown by `tests/types/refused`, by files that must not compile.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

/// Compiles only while these types cannot be read from the wire: if one of them could, two
/// implementations would fit `_` below and the compiler would ask which. (As a compile-fail case
/// the message would list types of other crates.)
#[test]
fn neither_permit_nor_decision_nor_profile_comes_from_the_wire() {
    trait OneIfNotReadable<Marker> {
        fn one(_: PhantomData<Self>) {}
    }
    struct Readable;
    impl<T> OneIfNotReadable<()> for T {}
    impl<T: DeserializeOwned> OneIfNotReadable<Readable> for T {}

    <policy::Permit as OneIfNotReadable<_>>::one(PhantomData);
    <policy::Decision as OneIfNotReadable<_>>::one(PhantomData);
    <policy::Grant as OneIfNotReadable<_>>::one(PhantomData);
    <policy::Profile as OneIfNotReadable<_>>::one(PhantomData);
    <policy::Policy as OneIfNotReadable<_>>::one(PhantomData);
    <policy::ToolCall as OneIfNotReadable<_>>::one(PhantomData);
}
