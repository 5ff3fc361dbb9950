//! Looks again and again, and answers what the server is asked in between.

use super::find::{self, Question};
use super::history::History;
use super::memory::Memory;
use super::source::Source;
use super::state::State;
use crate::cluster::inventory::Inventory;
use crate::cluster::looks::Looks;
use crate::input::time;
use crate::status::shown::{Shown, Wanted};
use canary_split::rollout::ramp::Second;
use serde_json::Value;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// What the server serves.
#[derive(Default)]
pub struct Picture {
    /// For a page that begins.
    pub whole: String,
    /// For a page that has seen the picture before.
    pub news: String,
}

/// Something to be answered by what was read last.
pub struct Ask {
    /// The question.
    pub question: Question,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Value, String>>,
}

/// The server's side.
#[derive(Clone)]
pub struct Door {
    /// The newest picture.
    pub pictures: watch::Receiver<Arc<Picture>>,
    /// Questions.
    pub asks: mpsc::Sender<Ask>,
}

/// Looks, one after the other.
pub struct Watch {
    source: Source,
    interval: Duration,
    plugin: Option<String>,
    /// What was read last. Objects are not shared between threads; the server is told texts.
    inventory: RefCell<Rc<Inventory>>,
    before: Looks,
    memory: Memory,
    history: History,
    state: State,
    pictures: watch::Sender<Arc<Picture>>,
    asks: Option<mpsc::Receiver<Ask>>,
    door: Door,
}

impl Watch {
    /// The first look; an error if nothing can be read.
    pub async fn begin(source: Source, interval: Duration, plugin: Option<String>) -> Result<Watch, String> {
        let inventory = source.inventory().await?;
        let before = source.looks(&inventory).await?;
        let (pictures, seen) = watch::channel(Arc::default());
        let (asks, asked) = mpsc::channel(16);
        let mut watch = Watch {
            source,
            interval,
            plugin,
            inventory: RefCell::new(Rc::new(inventory)),
            before: Looks::new(),
            memory: Memory::default(),
            history: History::default(),
            state: State::default(),
            pictures,
            asks: Some(asked),
            door: Door { pictures: seen, asks },
        };
        // Nothing has been counted yet, but the weights are known.
        watch.show(before)?;
        Ok(watch)
    }

    /// For the server.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// Goes on for ever.
    pub async fn go_on(&mut self) -> Infallible {
        let Some(mut asks) = self.asks.take() else { return std::future::pending().await };
        loop {
            let pause = tokio::time::sleep(self.interval);
            let next = async {
                pause.await;
                let inventory = self.source.inventory().await?;
                let looks = self.source.looks(&inventory).await?;
                Ok((inventory, looks))
            };
            // Nobody who asks waits for gateways that are silent.
            let next = tokio::select! {
                next = next => next,
                () = answer(&mut asks, &self.inventory) => continue,
            };
            let shown = next.and_then(|(inventory, looks)| {
                *self.inventory.borrow_mut() = Rc::new(inventory);
                self.show(looks)
            });
            if let Err(why) = shown {
                self.lose(&why);
            }
        }
    }

    fn show(&mut self, looks: Looks) -> Result<(), String> {
        let inventory = Rc::clone(&self.inventory.borrow());
        let wanted = Wanted { rule: None, plugin: self.plugin.as_deref() };
        let shown = Shown::of(&inventory, wanted, &self.before, &looks)?;
        let now = time::or_clock(None);
        self.memory.note(&shown.reading, now);
        let state = State::of(&shown, &inventory, &self.memory, &mut self.history, now);
        self.before = looks;
        self.publish(state);
        Ok(())
    }

    /// Nothing could be read; what is known stays, and the page says so.
    fn lose(&mut self, why: &str) {
        let now = time::or_clock(None);
        let since = self.state.lost_since().unwrap_or(now);
        if since == now {
            self.memory.add(format!("nothing can be read: {why}"), now);
        }
        let state = self.state.lost(why, since, &self.memory);
        self.publish(state);
    }

    fn publish(&mut self, state: State) {
        let state = state.with("source", self.source.said().into()).with("interval", self.interval.as_secs().into());
        let picture = Picture { whole: state.whole(&self.history), news: state.news() };
        self.pictures.send_replace(Arc::new(picture));
        self.state = state;
    }
}

/// Answers questions for ever.
async fn answer(asks: &mut mpsc::Receiver<Ask>, inventory: &RefCell<Rc<Inventory>>) {
    while let Some(Ask { question, reply }) = asks.recv().await {
        let inventory = Rc::clone(&inventory.borrow());
        // Whoever has left needs no answer.
        let _ = reply.send(find::answer(&question, &inventory, now()));
    }
    std::future::pending().await
}

fn now() -> Second {
    time::or_clock(None)
}
