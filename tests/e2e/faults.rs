//! What `make faults` relies on. The faults themselves are programs: see docs/faults.md.

use keygate_tests::Stack;

use crate::support::assert_never_trapped;

#[test]
fn no_request_can_kill_the_module_that_is_shipped() {
    let stack = Stack::start();
    for way in ["request", "poll"] {
        for _ in 0..4 {
            let answer = stack.get("/api/x").header("x-keygate-trap", way).send();
            assert_eq!(answer.status, 401, "{way}");
        }
    }
    assert_never_trapped(&stack);
}
