//! The heap of the filter: an allocator that knows the blocks of a watched piece of work, and looks for
//! a text in each of them when it is freed.
#![allow(
    unsafe_code,
    reason = "an allocator, which reads what it has given away"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

thread_local! {
    /// The text that is looked for.
    static NEEDLE: Cell<Option<&'static [u8]>> = const { Cell::new(None) };
    /// Whether the work that runs is watched.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
    /// Blocks of watched work that were not freed, by address.
    static LIVE: RefCell<BTreeMap<usize, usize>> = const { RefCell::new(BTreeMap::new()) };
    /// How many blocks had the text in them when they were freed.
    static FREED: Cell<usize> = const { Cell::new(0) };
}

/// How many blocks have the text in them.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Those that were freed so.
    pub freed: usize,
    /// Those that are in use.
    pub kept: usize,
}

/// Looks for a text in the blocks of some work.
pub fn watch<T>(needle: &'static [u8], work: impl FnOnce() -> T) -> T {
    NEEDLE.set(Some(needle));
    let before = IS_WATCHED.replace(true);
    let done = work();
    IS_WATCHED.set(before);
    done
}

/// Work that is not watched, in the middle of some that is.
pub fn outside<T>(work: impl FnOnce() -> T) -> T {
    let before = IS_WATCHED.replace(false);
    let done = work();
    IS_WATCHED.set(before);
    done
}

/// What was found since the thread began, or was asked last.
pub fn found() -> Found {
    let needle = NEEDLE.take().expect("something is looked for");
    let live = LIVE.take();
    let has = |(address, size): (&usize, &usize)| holds(*address as *const u8, *size, needle);
    Found {
        freed: FREED.take(),
        kept: live.iter().filter(|block| has(*block)).count(),
    }
}

fn holds(block: *const u8, size: usize, needle: &[u8]) -> bool {
    let starts = |at: usize| {
        let mut bytes = needle.iter().enumerate();
        // SAFETY: the block has `size` bytes and is not freed yet.
        bytes.all(|(index, byte)| unsafe { block.add(at + index).read_volatile() } == *byte)
    };
    size.checked_sub(needle.len())
        .is_some_and(|last| (0..=last).any(starts))
}

// SAFETY: all memory is that of the system's allocator, with the same layouts.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as our caller says.
        let block = unsafe { System.alloc(layout) };
        if IS_WATCHED.get() {
            outside(|| LIVE.with_borrow_mut(|live| live.insert(block as usize, layout.size())));
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(needle) = NEEDLE.take() {
            // What this frees itself is of no interest: nothing is looked for now.
            let known = LIVE.try_with(|live| live.borrow_mut().remove(&(block as usize)));
            let is_known = known.is_ok_and(|it| it.is_some());
            let is_ours = is_known || IS_WATCHED.get();
            if is_ours && holds(block, layout.size(), needle) {
                FREED.set(FREED.get() + 1);
            }
            NEEDLE.set(Some(needle));
        }
        // SAFETY: as our caller says.
        unsafe { System.dealloc(block, layout) };
    }
}

#[test]
fn a_text_is_found_in_blocks_that_are_freed_and_kept() {
    const TEXT: &[u8] = b"the-text-that-is-looked-for";
    let copy = || [b"..", TEXT, b"."].concat();
    let kept = watch(TEXT, || {
        drop(copy());
        outside(|| drop(copy()));
        let mut grown = copy();
        grown.reserve_exact(1000);
        grown.fill(0);
        copy()
    });
    assert_eq!(found(), Found { freed: 2, kept: 1 });
    drop(kept);
    assert_eq!(watch(TEXT, found), Found { freed: 0, kept: 0 });
}
