//! Looks again and again, and answers what the server is asked in between.

use super::find::{self, Question};
use super::history::History;
use super::memory::Memory;
use super::orders::Order;
use super::source::Source;
use super::state::State;
use super::visitors::Visitors;
use crate::cluster::inventory::Inventory;
use crate::cluster::looks::Looks;
use crate::input::time;
use crate::status::shown::{Shown, Wanted};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// What the server serves.
#[derive(Default)]
pub struct Picture {
    /// For a page that begins.
    pub whole: String,
    /// For a page that has seen the picture before.
    pub news: String,
}

/// A question, and where the answer goes.
pub struct Ask<Q> {
    /// The question.
    pub question: Q,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Value, String>>,
}

/// What is answered by what was read last.
pub enum Asked {
    /// Where a visitor is.
    Visitor(Question),
    /// Who would move.
    Preview(Order),
}

/// The server's side.
#[derive(Clone)]
pub struct Door {
    /// The newest picture.
    pub pictures: watch::Receiver<Arc<Picture>>,
    /// Questions.
    pub asks: mpsc::Sender<Ask<Asked>>,
    /// Changes.
    pub orders: mpsc::Sender<Ask<Order>>,
}

/// How to look.
pub struct Settings {
    /// The time between two looks.
    pub interval: Duration,
    /// The only plugin, or all.
    pub plugin: Option<String>,
    /// Visitors to show.
    pub visitors: Visitors,
    /// What every state says.
    pub said: Map<String, Value>,
}

/// What looks and answers have in common. Objects are not shared between threads; the server is told texts.
struct Common {
    source: Source,
    /// What was read last.
    inventory: RefCell<Rc<Inventory>>,
    /// Asks for a look at once.
    again: Notify,
}

/// Looks, one after the other.
struct Looking {
    settings: Settings,
    before: Looks,
    memory: Memory,
    history: History,
    state: State,
    pictures: watch::Sender<Arc<Picture>>,
}

/// What goes on while the page is served.
pub struct Watch {
    common: Common,
    looking: Looking,
    asks: mpsc::Receiver<Ask<Asked>>,
    orders: mpsc::Receiver<Ask<Order>>,
}

/// How many questions may wait.
const WAITING: usize = 16;

impl Watch {
    /// The first look; an error if nothing can be read.
    pub async fn begin(source: Source, settings: Settings) -> Result<(Watch, Door), String> {
        let inventory = Rc::new(source.inventory().await?);
        let looks = source.looks(&inventory).await?;
        let (pictures, seen) = watch::channel(Arc::default());
        let (asks, asked) = mpsc::channel(WAITING);
        let (orders, ordered) = mpsc::channel(WAITING);
        let mut looking = Looking {
            settings,
            before: Looks::new(),
            memory: Memory::default(),
            history: History::default(),
            state: State::default(),
            pictures,
        };
        // Nothing has been counted yet, but the weights are known.
        looking.show(&inventory, looks)?;
        let common = Common { source, inventory: RefCell::new(inventory), again: Notify::new() };
        let watch = Watch { common, looking, asks: asked, orders: ordered };
        Ok((watch, Door { pictures: seen, asks, orders }))
    }

    /// Goes on for ever. Nobody who asks waits for gateways that are silent, or for somebody else's change.
    pub async fn go_on(self) -> Infallible {
        let Watch { common, looking, asks, orders } = self;
        let (never, (), ()) = futures::join!(looking.go_on(&common), answer(asks, &common), carry_out(orders, &common));
        never
    }
}

impl Looking {
    async fn go_on(mut self, common: &Common) -> Infallible {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval) => {}
                () = common.again.notified() => {}
            }
            let read = async {
                let inventory = Rc::new(common.source.inventory().await?);
                let looks = common.source.looks(&inventory).await?;
                Ok((inventory, looks))
            };
            let shown = read.await.and_then(|(inventory, looks)| {
                *common.inventory.borrow_mut() = Rc::clone(&inventory);
                self.show(&inventory, looks)
            });
            if let Err(why) = shown {
                self.lose(&why);
            }
        }
    }

    fn show(&mut self, inventory: &Inventory, looks: Looks) -> Result<(), String> {
        let wanted = Wanted { rule: None, plugin: self.settings.plugin.as_deref() };
        let shown = Shown::of(inventory, wanted, &self.before, &looks)?;
        let now = time::or_clock(None);
        self.memory.note(&shown.reading, now);
        let visitors = &mut self.settings.visitors;
        let state = State::of(&shown, inventory, &self.memory, &mut self.history, visitors, now);
        self.before = looks;
        self.publish(state);
        Ok(())
    }

    /// Nothing could be read; what is known stays, and the page says so.
    fn lose(&mut self, why: &str) {
        let now = time::or_clock(None);
        let since = self.state.lost_since();
        if since.is_none() {
            self.memory.add(format!("nothing can be read: {why}"), now);
        }
        let state = self.state.lost(why, since.unwrap_or(now), &self.memory);
        self.publish(state);
    }

    fn publish(&mut self, state: State) {
        let state = state.with(&self.settings.said);
        let picture = Picture { whole: state.whole(&self.history), news: state.news() };
        self.pictures.send_replace(Arc::new(picture));
        self.state = state;
    }
}

/// Answers questions for ever.
async fn answer(mut asks: mpsc::Receiver<Ask<Asked>>, common: &Common) {
    while let Some(Ask { question, reply }) = asks.recv().await {
        let inventory = Rc::clone(&common.inventory.borrow());
        let answer = match question {
            Asked::Visitor(question) => find::answer(&question, &inventory, time::or_clock(None)),
            Asked::Preview(order) => order.preview(&inventory),
        };
        // Whoever has left needs no answer.
        let _ = reply.send(answer);
    }
}

/// Makes changes, one after the other.
async fn carry_out(mut orders: mpsc::Receiver<Ask<Order>>, common: &Common) {
    while let Some(Ask { question, reply }) = orders.recv().await {
        let done = question.carry_out(&common.source).await;
        common.again.notify_one();
        let _ = reply.send(done);
    }
}
