//! The server: the page, its state, and an event for each look.

use super::find::Question;
use super::gate::Gate;
use super::watch::{Ask, Door, Picture};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream::{self, Stream};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

/// Everything comes from here, nothing may be put around it, and the address with the token goes nowhere.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

const ENDED: &str = "the dashboard has ended";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

/// The files of the page.
const FILES: [(&str, &str, &str); 7] = [
    ("/{token}/", HTML, include_str!("page/index.html")),
    ("/{token}/style.css", CSS, include_str!("page/style.css")),
    ("/{token}/icon.svg", SVG, include_str!("page/icon.svg")),
    ("/{token}/page.js", JS, include_str!("page/page.js")),
    ("/{token}/rule.js", JS, include_str!("page/rule.js")),
    ("/{token}/plots.js", JS, include_str!("page/plots.js")),
    ("/{token}/words.js", JS, include_str!("page/words.js")),
];

/// Serves until something fails.
pub async fn serve(listener: TcpListener, gate: Gate, door: Door) -> io::Result<()> {
    let mut router = Router::new().route("/{token}/state", get(state)).route("/{token}/events", get(events));
    router = router.route("/{token}/explain", get(explain));
    for (path, kind, text) in FILES {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    let router = router.with_state(door).layer(middleware::from_fn_with_state(Arc::new(gate), guarded));
    axum::serve(listener, router).await
}

/// Lets a request through the gate, and adds the headers that every answer has.
async fn guarded(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = match gate.refuses(request.uri(), request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, format!("403: {why}\n")).into_response(),
        None => next.run(request).await,
    };
    response.headers_mut().extend(HEADERS);
    response
}

async fn state(State(door): State<Door>) -> impl IntoResponse {
    let whole = door.pictures.borrow().whole.clone();
    ([(header::CONTENT_TYPE, JSON)], whole)
}

async fn events(State(door): State<Door>) -> impl IntoResponse {
    Sse::new(news(door.pictures)).keep_alive(KeepAlive::default())
}

/// An event for each look from now on.
fn news(mut pictures: watch::Receiver<Arc<Picture>>) -> impl Stream<Item = Result<Event, Infallible>> {
    // What is there already is asked for as the state.
    pictures.mark_unchanged();
    stream::unfold(pictures, |mut pictures| async {
        pictures.changed().await.ok()?;
        let event = Event::default().event("look").data(&pictures.borrow_and_update().news);
        Some((Ok(event), pictures))
    })
}

async fn explain(State(door): State<Door>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let answered = async {
        let (reply, answer) = oneshot::channel();
        let ask = Ask { question: Question::read(pairs)?, reply };
        door.asks.send(ask).await.map_err(|_| ENDED.to_owned())?;
        answer.await.map_err(|_| ENDED.to_owned())?
    };
    match answered.await {
        Ok(json) => ([(header::CONTENT_TYPE, JSON)], json.to_string()).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    }
}
