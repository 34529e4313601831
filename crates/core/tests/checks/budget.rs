//! The budget of failed checks.

use super::*;

#[test]
fn checks_that_succeed_are_as_many_as_there_are_providers() {
    let first = ring_policy(FORMATS[0].0, "k", RSA);
    let policy = group("all", &[RSA, RSA, RSA]);
    let tally = Tally::default();
    let link = link(&first, "/a", RSA_PRIVATE);
    assert_eq!(judge(&policy, &link, NOW, &tally), Ok(()));
    let wrong = group("any", &[OTHER_RSA, RSA]);
    // A signature of 2048 bits is none of the key of 4096 bits.
    assert_eq!(judge(&wrong, &link, NOW, &tally), Ok(()));
}

#[test]
fn without_budget_the_answer_is_429_and_verified_links_pass() {
    let policy = ring_policy(FORMATS[0].0, "k", RSA);
    let (known, new) = (
        link(&policy, "/a", RSA_PRIVATE),
        link(&policy, "/b", RSA_PRIVATE),
    );
    let tally = Tally::default();
    assert_eq!(judge(&policy, &known, NOW, &tally), Ok(()));
    tally.is_empty.set(true);
    let denial = decide(&policy, &new, NOW, &tally, "192.0.2.1").unwrap_err();
    assert_eq!(
        (denial.reason, denial.status),
        (Reason::TooManyFailures, 429)
    );
    assert_eq!(denial.reason.public(), PublicReason::RateLimited);
    assert!(
        denial
            .headers
            .iter()
            .any(|(name, value)| name == "retry-after" && value == "1")
    );
    assert_eq!(judge(&policy, &known, NOW, &tally), Ok(()));
    tally.is_empty.set(false);
    assert_eq!(judge(&policy, &new, NOW, &tally), Ok(()));
}
