//! Where questions are read, and which are not.

use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;

fn readers(size: Size, here: usize) -> Readers {
    let open = || -> sql::Result<Connection> {
        let connection = rusqlite::Connection::open_in_memory()?;
        Ok(Connection::Sqlite(connection))
    };
    let here = (0..here).map(|_| open().unwrap()).collect();
    Readers::start(size, here, open).unwrap()
}

const THREAD: Size = Size {
    threads: 1,
    waiting: 8,
    gives_way: false,
};

fn thread_name(_: &Sql<'_>) -> sql::Result<Option<String>> {
    Ok(thread::current().name().map(str::to_owned))
}

#[tokio::test]
async fn a_short_question_is_answered_while_every_thread_is_busy() {
    let readers = readers(THREAD, 1);
    let (release, released) = mpsc::channel::<()>();
    let busy = readers.read_long(move |_| Ok(released.recv().is_ok()));
    let asked = async {
        let here = readers.read(thread_name).await.unwrap();
        release.send(()).unwrap();
        here
    };
    let (busy, here) = tokio::join!(busy, asked);
    assert!(busy.unwrap());
    assert_eq!(here.as_deref(), thread::current().name());
}

#[tokio::test]
async fn a_short_question_without_an_idle_connection_is_answered_by_a_thread() {
    let readers = readers(THREAD, 0);
    let name = readers.read(thread_name).await.unwrap();
    assert_eq!(name.as_deref(), Some(NAME));
}

#[tokio::test]
async fn a_question_that_panics_fails_alone() {
    let readers = readers(THREAD, 0);
    let answer = readers.read_long(|_| -> sql::Result<()> { panic!("a bug") });
    assert!(answer.await.is_err());
    let name = readers.read_long(thread_name).await.unwrap();
    assert_eq!(name.as_deref(), Some(NAME));
}

#[tokio::test]
async fn a_question_of_a_client_that_has_gone_is_not_read() {
    let readers = readers(THREAD, 0);
    let (asked, read) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let busy = readers.read_long(move |_| Ok(released.recv().is_ok()));
    let gone = async {
        let question = readers.read_long(move |_| Ok(asked.send(())));
        let question = tokio::time::timeout(Duration::from_millis(1), question);
        assert!(question.await.is_err(), "the thread is busy");
        release.send(()).unwrap();
    };
    assert!(tokio::join!(busy, gone).0.unwrap());
    readers.read_long(thread_name).await.unwrap();
    assert!(read.try_recv().is_err());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn only_threads_that_list_give_way() {
    let usual = rustix::process::getpriority_process(None);
    for (gives_way, nice) in [(false, usual), (true, Ok(NICE))] {
        let size = Size {
            gives_way,
            ..THREAD
        };
        let readers = readers(size, 0);
        let of_thread = |_: &Sql<'_>| Ok(rustix::process::getpriority_process(None));
        let answer = readers.read_long(of_thread).await.unwrap();
        assert_eq!(answer, nice);
    }
    assert_eq!(rustix::process::getpriority_process(None), usual);
}

#[tokio::test]
async fn questions_beyond_the_bound_are_rejected_and_abandoned_ones_make_place() {
    let readers = readers(THREAD, 0);
    let (release, released) = mpsc::channel::<()>();
    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let busy = readers.read_long(move |_| {
        let _ = begin.send(());
        Ok(released.recv().is_ok())
    });
    let asked = async {
        begun.recv().await.unwrap();
        let question = || Box::pin(readers.read_long(thread_name));
        let mut waiting: Vec<_> = (0..THREAD.waiting).map(|_| question()).collect();
        for question in &mut waiting {
            assert!(poll(question.as_mut()).is_pending());
        }
        for _ in 0..2 {
            let beyond = poll(question().as_mut());
            assert!(matches!(beyond, Poll::Ready(Err(StoreError::Overloaded))));
        }
        waiting.truncate(THREAD.waiting - 2);
        waiting.extend([question(), question()]);
        for question in &mut waiting {
            assert!(poll(question.as_mut()).is_pending());
        }
        release.send(()).unwrap();
        for question in waiting {
            assert_eq!(question.await.unwrap().as_deref(), Some(NAME));
        }
    };
    assert!(tokio::join!(busy, asked).0.unwrap());
}

/// Polls once, without a place to be woken.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
