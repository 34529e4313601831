//! Every known answer of signed URLs in `tests/vectors` does what it should.

use keygate_testkit::vectors;

#[test]
fn known_answers_verify_and_forgeries_do_not() {
    let mut passed = 0;
    for text in vectors::KNOWN {
        let tally = vectors::run(&serde_json::from_str(text).unwrap());
        assert_eq!(tally.failures, Vec::<String>::new());
        passed += tally.passed;
    }
    assert!(passed >= 118, "only {passed} were tried");
}
