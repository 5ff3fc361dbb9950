//! The connections to the server: whoever has shown the token stays, all others make room.
//!
//! Anybody on this machine can connect, and a connection that says nothing takes a file of this process all the same.

use axum::extract::Request;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// How long the headers of a request may take; an idle connection is closed after that time too.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many connections may be open that have not shown the token.
const MOST: usize = 128;
/// A pause if no connection can be taken, because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether a connection has shown the token.
#[derive(Clone, Default)]
pub struct Known(Arc<AtomicBool>);

impl Known {
    /// The connection of this request has shown it.
    pub fn note(request: &Request) {
        if let Some(Known(is_known)) = request.extensions().get() {
            is_known.store(true, Ordering::Relaxed);
        }
    }
}

/// The connections that have not shown it yet, the oldest first.
#[derive(Default)]
struct Strangers(VecDeque<(Known, AbortHandle)>);

impl Strangers {
    /// Leaves at most so many.
    fn leave(&mut self, most: usize) {
        self.0.retain(|(Known(is_known), task)| !is_known.load(Ordering::Relaxed) && !task.is_finished());
        while self.0.len() > most {
            if let Some((_, oldest)) = self.0.pop_front() {
                oldest.abort();
            }
        }
    }
}

/// Takes connections for ever.
pub async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let mut strangers = Strangers::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let known = Known::default();
                let task = tokio::spawn(converse(stream, router.clone().layer(Extension(known.clone()))));
                strangers.0.push_back((known, task.abort_handle()));
                strangers.leave(MOST);
            }
            Err(_) => {
                strangers.leave(strangers.0.len() / 2);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A browser that leaves is nobody's mistake.
    let _ = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}
