//! What a replica hears of the others: changes, tokens, and another history.
//!
//! Each replica notifies the others of its changes. A notification can be lost, so each looks once a
//! second as well: one statement, however many polls are held.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::link::Link;
use super::{Database, history};
use crate::store::feed;
use crate::store::head::Head;
use crate::store::sql::{self, Session, Sql, params};
use crate::store::tokens;
use crate::tokens::CreatedTokens;

/// How long it waits for a notification before it looks.
const EVERY: Duration = Duration::from_secs(1);

/// For how long what was seen counts.
const FRESH: Duration = Duration::from_millis(1500);

/// How often it sees whether it is to end.
const STEP: Duration = Duration::from_millis(50);

/// Time between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(250);

/// The thread that listens. It ends when this is dropped.
#[derive(Debug)]
pub(in crate::store) struct Listener {
    is_over: Arc<AtomicBool>,
    /// When it last looked.
    looked: Arc<Mutex<Option<Instant>>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(in crate::store) fn start(
        database: Arc<Database>,
        tokens: Arc<CreatedTokens>,
    ) -> std::io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let looked = Arc::new(Mutex::default());
        let mut ear = Ear {
            link: Link::new(database),
            tokens,
            looked: Arc::clone(&looked),
            is_over: Arc::clone(&is_over),
            is_listening: false,
            is_failing: false,
        };
        let thread = thread::Builder::new().name("keygate-listener".to_owned());
        let thread = thread.spawn(move || ear.run())?;
        Ok(Self {
            is_over,
            looked,
            thread: Some(thread),
        })
    }
}

impl Listener {
    /// Whether it has looked of late, so that what it has noted is at most 1.5 s old.
    pub(in crate::store) fn is_heard(&self) -> bool {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.elapsed() < FRESH)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

struct Ear {
    link: Link,
    tokens: Arc<CreatedTokens>,
    looked: Arc<Mutex<Option<Instant>>>,
    is_over: Arc<AtomicBool>,
    /// Whether notifications come on the present connection.
    is_listening: bool,
    /// Whether the last round failed. Only a change is logged.
    is_failing: bool,
}

impl Ear {
    fn run(&mut self) {
        while !self.is_over() {
            match self.round() {
                Ok(()) => {
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("the database can be reached again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!("no changes of other replicas are heard: {error}");
                    }
                    self.link.drop_session();
                    self.is_listening = false;
                    self.sleep(PAUSE);
                }
            }
        }
    }

    /// Looks once, and waits for a notification.
    fn round(&mut self) -> sql::Result<()> {
        let database = Arc::clone(self.link.shared());
        // Before the question: what was known then is in every later state of this history.
        let before = *database.heads.borrow();
        let is_listening = std::mem::replace(&mut self.is_listening, true);
        let session = self.link.session()?;
        if !is_listening {
            session.batch("LISTEN keygate_feed")?;
        }
        let at = Instant::now();
        let (mut head, edition) = look(session)?;
        if head.incarnation == before.incarnation && head.epoch < before.epoch {
            head = history::begin(session, None)?;
        }
        head.note(&database.heads);
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
        if self.tokens.edition() != Some((head.incarnation, edition)) {
            let (edition, all) = tokens::all(&Sql::Postgres(session))?;
            self.tokens.set((head.incarnation, edition), all);
        }
        self.wait()
    }

    /// Waits for a notification, for [`EVERY`] at most.
    fn wait(&mut self) -> sql::Result<()> {
        let end = Instant::now() + EVERY;
        while !self.is_over() && Instant::now() < end {
            if self.link.session()?.is_notified(STEP)? {
                break;
            }
        }
        Ok(())
    }

    fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_over() && Instant::now() < end {
            thread::sleep(STEP);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// How far the feed has come, and which edition of the tokens there is.
fn look(session: &Session) -> sql::Result<(Head, i64)> {
    let text = "SELECT (SELECT id FROM incarnations ORDER BY number DESC LIMIT 1), epoch, tokens \
                FROM head";
    Sql::Postgres(session).one(text, params![], |row| {
        let head = feed::read_head(row)?;
        Ok((head, row.get(2)?))
    })
}
