//! Attackers that send requests as fast as they can.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Form, Row};
use crate::load::oracle::Trouble;
use crate::load::{Credential, Flood, Scene};

fn clients(form: &Form) -> u32 {
    if form.is_short { 2 } else { 4 }
}

/// What the key service may be asked because of a flood that never needs it: what the
/// steady clients cause by themselves, in calls a second.
const OF_THE_STEADY: u64 = 60;

fn nothing(_seconds: u64) -> u64 {
    0
}

/// How many lookups each of two workers may make for one address in this many seconds: the
/// default miss limit.
fn of_one_address(seconds: u64) -> u64 {
    2 * (100 + 5 * seconds)
}

/// All floods.
pub fn all(form: &Form, scene: &Arc<Scene>) -> Vec<Row> {
    let idle = "a cold key may get 503 while it lasts, since the machine is busy, and no other request; \
                the key service gets no lookups";
    vec![
        flood(
            form,
            scene,
            "flood of forged keys",
            idle,
            Some(nothing),
            |it| it.forge.forged(),
        ),
        flood(
            form,
            scene,
            "flood of keys that the ring made but that were never issued",
            "a cold key may get 503 while it lasts; a warm key never",
            None,
            |it| it.forge.unknown(),
        ),
        flood(
            form,
            scene,
            "flood of made-up keys in the form of imported keys",
            "a cold key may get 503 while it lasts; a warm key never; the key service gets no more \
             lookups than the miss limit allows",
            Some(of_one_address),
            |it| it.forge.opaque(),
        ),
        flood(
            form,
            scene,
            "flood of links with wrong MACs",
            idle,
            Some(nothing),
            |it| it.forge.wrong_link(),
        ),
    ]
}

fn flood(
    form: &Form,
    scene: &Arc<Scene>,
    name: &str,
    bound: &str,
    may_ask: Option<fn(u64) -> u64>,
    credential: impl Fn(&Scene) -> Credential + Copy + Send + 'static,
) -> Row {
    form.observe(scene, name, bound, |scene| {
        scene.begin(Trouble::Busy);
        let before = scene.counted("keygate_lookup.answered");
        let flood = Flood::start(scene, clients(form), credential);
        let lasts: Duration = form.pick(3, 15);
        thread::sleep(lasts);
        drop(flood);
        let asked = scene.counted("keygate_lookup.answered") - before;
        let seconds = lasts.as_secs() + 2;
        let most = may_ask.map(|it| OF_THE_STEADY * seconds + it(seconds));
        match most.filter(|most| asked > *most) {
            Some(most) => vec![format!(
                "the key service got {asked} lookups, more than {most}"
            )],
            None => Vec::new(),
        }
    })
}
