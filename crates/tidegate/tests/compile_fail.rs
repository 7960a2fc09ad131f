//! The order of the stages is a matter of types: what is out of order does not build.

#[test]
fn connecting_a_backend_without_a_permit_does_not_build() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/with_permit.rs");
    cases.compile_fail("tests/compile_fail/without_permit.rs");
    cases.compile_fail("tests/compile_fail/forged_permit.rs");
}
