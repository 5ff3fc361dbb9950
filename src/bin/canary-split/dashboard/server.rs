//! The server: the page, its state, and an event for each look.

use super::buttons::Button;
use super::doors::{self, Known};
use super::doorstep::Doorstep;
use super::find::Question;
use super::gate::Gate;
use super::orders::Order;
use super::watch::{Ask, Asked, Door, Picture};
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::{self, Stream};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

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
const FILES: [(&str, &str, &str); 8] = [
    ("/{token}/", HTML, include_str!("page/index.html")),
    ("/{token}/style.css", CSS, include_str!("page/style.css")),
    ("/{token}/icon.svg", SVG, include_str!("page/icon.svg")),
    ("/{token}/page.js", JS, include_str!("page/page.js")),
    ("/{token}/rule.js", JS, include_str!("page/rule.js")),
    ("/{token}/plots.js", JS, include_str!("page/plots.js")),
    ("/{token}/weights.js", JS, include_str!("page/weights.js")),
    ("/{token}/words.js", JS, include_str!("page/words.js")),
];

/// What is served.
#[derive(Clone)]
pub struct Server {
    /// To what goes on.
    pub door: Door,
    /// Whether the page may change anything.
    pub is_writable: bool,
    /// Buttons that run a command.
    pub buttons: Arc<[Button]>,
}

/// Serves for ever. Whoever has come in with the token needs no doorstep.
pub async fn serve(listener: TcpListener, gate: Gate, server: Server, doorstep: Option<Arc<Doorstep>>) -> Infallible {
    let mut router = Router::new().route("/{token}/state", get(state)).route("/{token}/events", get(events));
    router = router.route("/{token}/explain", get(explain)).route("/{token}/preview", get(preview));
    if server.is_writable {
        router = router.route("/{token}/change", post(change));
    }
    if !server.buttons.is_empty() {
        router = router.route("/{token}/press", post(press));
    }
    for (path, kind, text) in FILES {
        router = router.route(path, get(move || async move { ([(header::CONTENT_TYPE, kind)], text) }));
    }
    let router = router.with_state(server).layer(middleware::from_fn_with_state(Arc::new((gate, doorstep)), guarded));
    doors::serve(listener, router).await
}

/// Lets a request through the gate, and adds the headers that every answer has.
async fn guarded(State(entrance): State<Arc<(Gate, Option<Arc<Doorstep>>)>>, request: Request, next: Next) -> Response {
    let (gate, doorstep) = &*entrance;
    let mut response = match gate.refuses(request.uri(), request.headers()) {
        Some(why) => (StatusCode::FORBIDDEN, format!("403: {why}\n")).into_response(),
        None => {
            Known::note(&request);
            doorstep.iter().for_each(|doorstep| doorstep.remove());
            next.run(request).await
        }
    };
    response.headers_mut().extend(HEADERS);
    response
}

async fn state(State(server): State<Server>) -> impl IntoResponse {
    let whole = server.door.pictures.borrow().whole.clone();
    ([(header::CONTENT_TYPE, JSON)], whole)
}

async fn events(State(server): State<Server>) -> impl IntoResponse {
    Sse::new(news(server.door.pictures)).keep_alive(KeepAlive::default())
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

async fn explain(State(server): State<Server>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    answered(match Question::read(pairs) {
        Ok(question) => asked(&server.door.asks, Asked::Visitor(question)).await,
        Err(why) => Err(why),
    })
}

/// Who would move.
async fn preview(State(server): State<Server>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    answered(match pairs.as_slice() {
        [(name, text)] if name == "order" => match order(text) {
            Ok(order) => asked(&server.door.asks, Asked::Preview(order)).await,
            Err(why) => Err(why),
        },
        _ => Err("which order?".to_owned()),
    })
}

/// Makes a change; only if the page may.
async fn change(State(server): State<Server>, headers: HeaderMap, text: String) -> Response {
    // No other page can send either without asking first, and none is answered.
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == JSON);
    if !is_json || !headers.contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "403: not from the page\n").into_response();
    }
    answered(match order(&text) {
        Ok(order) => asked(&server.door.orders, order).await,
        Err(why) => Err(why),
    })
}

/// Presses a button, by its number.
async fn press(State(server): State<Server>, headers: HeaderMap, number: String) -> Response {
    if !headers.contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "403: not from the page\n").into_response();
    }
    let button = number.parse().ok().and_then(|number: usize| server.buttons.get(number));
    answered(button.ok_or_else(|| "no such button".to_owned()).and_then(Button::press).map(|()| Value::Null))
}

fn order(text: &str) -> Result<Order, String> {
    serde_json::from_str(text).map_err(|error| format!("no order: {error}"))
}

/// What the other side answers.
async fn asked<Q>(door: &mpsc::Sender<Ask<Q>>, question: Q) -> Result<Value, String> {
    let (reply, answer) = oneshot::channel();
    door.send(Ask { question, reply }).await.map_err(|_| ENDED.to_owned())?;
    answer.await.map_err(|_| ENDED.to_owned())?
}

fn answered(answer: Result<Value, String>) -> Response {
    match answer {
        Ok(json) => ([(header::CONTENT_TYPE, JSON)], json.to_string()).into_response(),
        Err(why) => (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
    }
}
