//! What a request costs in addition whose rule opens sealed headers, by their size in bytes.
//!
//! `cargo bench -p keygate-core --bench sealed`.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use divan::{Bencher, black_box};
use keygate_core::Secret;
use keygate_core::keys::{
    KeyRingId, MasterSecret, NewAppKey, Prefix, SealKey, Sealed, SealedHeaders,
};

fn main() {
    divan::main();
}

fn key() -> NewAppKey {
    let master = MasterSecret::derive(&Secret::new(vec![7; 32])).unwrap();
    let (prefix, kid) = (
        Prefix::parse("kg").unwrap(),
        KeyRingId::parse("01").unwrap(),
    );
    master.generate(&prefix, kid, &mut |bytes| bytes.fill(7))
}

#[divan::bench(args = [64, 256, 1000, 1992])]
fn open(bencher: Bencher<'_, '_>, length: usize) {
    let key = SealKey::of_new(&key());
    let mut headers = SealedHeaders::none();
    headers
        .add("x-token".to_owned(), vec![b'x'; length].into())
        .unwrap();
    let sealed = Sealed::seal(&headers, &key, &mut |bytes| bytes.fill(7)).unwrap();
    bencher.bench_local(|| sealed.open(black_box(&key)).unwrap());
}
