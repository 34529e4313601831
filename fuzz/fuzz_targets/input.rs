//! Every fuzz target in one program: the variable `FUZZ_TARGET` names the one that gets the
//! input. See `scripts/fuzz`.
#![no_main]

use keygate_testkit::targets::Target;

thread_local! {
    static TARGET: Target = Target::of(&std::env::var("FUZZ_TARGET").unwrap_or_default());
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.with(|it| it.run(data)));
