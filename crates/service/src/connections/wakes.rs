//! Wake-ups of a connection by itself, which cost no turn of the scheduler.
//!
//! While hyper hands a body over, the connection wakes itself. tokio then puts the task at the end of
//! its queue and wakes another thread for it, for each request with a body: 20 µs of a core.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// How often a connection is polled before other tasks have their turn.
const POLLS: usize = 4;

/// Polls a connection, again if it wakes itself.
#[derive(Debug)]
pub(super) struct Wakes {
    note: Arc<Note>,
    waker: Waker,
}

#[derive(Debug)]
struct Note {
    is_polled: AtomicBool,
    is_woken: AtomicBool,
    /// Wakes the task of the connection.
    task: Mutex<Waker>,
}

impl Wakes {
    pub(super) fn new() -> Self {
        let note = Arc::new(Note {
            is_polled: AtomicBool::new(false),
            is_woken: AtomicBool::new(false),
            task: Mutex::new(Waker::noop().clone()),
        });
        Self {
            waker: Arc::clone(&note).into(),
            note,
        }
    }

    pub(super) fn poll<T>(
        &self,
        context: &Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let note = &*self.note;
        {
            let mut task = note.task.lock().unwrap_or_else(PoisonError::into_inner);
            task.clone_from(context.waker());
        }
        note.is_polled.store(true, Ordering::SeqCst);
        for _ in 0..POLLS {
            note.is_woken.store(false, Ordering::SeqCst);
            let polled = poll(&mut Context::from_waker(&self.waker));
            if polled.is_ready() {
                return polled;
            }
            if !note.is_woken.load(Ordering::SeqCst) {
                break;
            }
        }
        // In this order: what wakes it now sees the first, or is seen by the second.
        note.is_polled.store(false, Ordering::SeqCst);
        if note.is_woken.load(Ordering::SeqCst) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        if !self.is_polled.load(Ordering::SeqCst) {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Task(AtomicBool);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// Polls once, and returns how often the connection was polled and whether its task was woken.
    fn polled(wakes: &Wakes, mut by_itself: usize) -> (usize, bool) {
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut polls = 0;
        let pending = wakes.poll(&Context::from_waker(&waker), |context| -> Poll<()> {
            polls += 1;
            if by_itself > 0 {
                by_itself -= 1;
                context.waker().wake_by_ref();
            }
            Poll::Pending
        });
        assert!(pending.is_pending());
        (polls, task.0.load(Ordering::SeqCst))
    }

    #[test]
    fn a_connection_that_wakes_itself_is_polled_again_without_the_scheduler() {
        assert_eq!(polled(&Wakes::new(), 0), (1, false));
        assert_eq!(polled(&Wakes::new(), 1), (2, false));
    }

    #[test]
    fn a_connection_that_always_wakes_itself_leaves_others_their_turn() {
        assert_eq!(polled(&Wakes::new(), usize::MAX), (POLLS, true));
    }

    #[test]
    fn a_connection_that_waits_is_woken_by_others() {
        let wakes = Wakes::new();
        let task = Arc::new(Task::default());
        let waker = Waker::from(Arc::clone(&task));
        let mut kept = None;
        let pending = wakes.poll(&Context::from_waker(&waker), |context| -> Poll<()> {
            kept = Some(context.waker().clone());
            Poll::Pending
        });
        assert!(pending.is_pending());
        assert!(!task.0.load(Ordering::SeqCst));
        kept.unwrap().wake();
        assert!(task.0.load(Ordering::SeqCst));
    }
}
