//! Sorting, in a tenth of the code that std's takes in the filter for each type.

use std::collections::BinaryHeap;

/// The same items from the least to the greatest; the time is that of any good sort.
pub fn sorted<T: Ord>(items: Vec<T>) -> Vec<T> {
    BinaryHeap::from(items).into_sorted_vec()
}
