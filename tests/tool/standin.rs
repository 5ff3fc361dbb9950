//! What the tool talks to over HTTP, in its place: an API server with gateway pods, or Envoy's admin interface.

use crate::Temporary;
use canary_split::config::fingerprint;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A server on the loopback; each request is answered by method, path with query, and body.
pub struct Server {
    pub address: SocketAddr,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(respond: impl Fn(&str, &str, &str) -> (u16, String) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (is_over, respond) = (Arc::new(AtomicBool::new(false)), Arc::new(respond));
        let over = Arc::clone(&is_over);
        let listening = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let respond = Arc::clone(&respond);
                // A client that leaves early is none of our business.
                thread::spawn(move || serve(&stream.unwrap(), &*respond));
            }
        });
        Server { address, is_over, listening: Some(listening) }
    }

    /// How the tool finds it, as an API server.
    pub fn kubeconfig(&self) -> Temporary {
        Temporary::new(&format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: 'http://{}'}}}}]\n\
             users: [{{name: test, user: {{}}}}]\ncontexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n",
            self.address
        ))
    }
}

/// The port is free again afterwards.
impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.listening.take().unwrap().join().unwrap();
    }
}

fn serve(stream: &TcpStream, respond: &dyn Fn(&str, &str, &str) -> (u16, String)) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut length = 0;
    loop {
        let header = line()?.to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(text) = header.strip_prefix("content-length: ") {
            length = text.parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (status, body) = respond(words.next()?, words.next()?, &String::from_utf8(body).ok()?);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-length: {length}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
    );
    { stream }.write_all((head + &body).as_bytes()).ok()
}

/// What an API server says of what it does not have.
pub fn missing() -> (u16, String) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"});
    (404, status.to_string())
}

type Answers = Arc<Mutex<BTreeMap<String, (u16, String)>>>;

/// Method, path with query, body.
type Received = Arc<Mutex<Vec<(String, String, String)>>>;

/// A server that gives fixed answers, by path; anything else is 404.
pub struct StandIn {
    pub address: SocketAddr,
    server: Server,
    answers: Answers,
    received: Received,
}

impl StandIn {
    pub fn start() -> StandIn {
        let (answers, received) = (Answers::default(), Received::default());
        let (known, all) = (Arc::clone(&answers), Arc::clone(&received));
        let server = Server::start(move |method, path, body| {
            all.lock().unwrap().push((method.to_owned(), path.to_owned(), body.to_owned()));
            let path = path.split('?').next().unwrap();
            known.lock().unwrap().get(path).cloned().unwrap_or_else(missing)
        });
        StandIn { address: server.address, server, answers, received }
    }

    /// The bodies that were sent with a method, each with its path and query.
    pub fn sent(&self, method: &str) -> Vec<(String, String)> {
        let received = self.received.lock().unwrap();
        received.iter().filter(|(own, ..)| own == method).map(|(_, path, body)| (path.clone(), body.clone())).collect()
    }

    /// From now on this is the answer at a path.
    pub fn answer(&self, path: &str, status: u16, body: impl ToString) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_string()));
    }
}

/// The plugin of the tests.
pub fn plugin() -> Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"namespace": "istio-system", "name": "canary-split", "resourceVersion": "1"},
        "spec": {"selector": {"matchLabels": {"istio": "ingressgateway"}}, "failStrategy": "FAIL_OPEN", "pluginConfig": {"rules": [{
            "name": "shop", "hosts": ["shop.example.com"], "guard": {},
            "split": [{"subset": "v1", "weight": 80}, {"subset": "v2", "weight": 20}],
            "sticky": {"keys": [{"header": "x-user"}], "cookie": {}},
        }]}},
    })
}

/// The same with these weights.
pub fn weighted(v1: u32, v2: u32) -> Value {
    let mut plugin = plugin();
    for (at, weight) in [v1, v2].into_iter().enumerate() {
        plugin["spec"]["pluginConfig"]["rules"][0]["split"][at]["weight"] = weight.into();
    }
    plugin
}

/// What a gateway with the plugin of the tests counts: requests for v1 and v2, 5xx of v2, visitors who failed on v2, whether it is out.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub v1: u32,
    pub v2: u32,
    pub failed: u32,
    pub failing: u32,
    pub is_tripped: bool,
}

/// Its statistics.
pub fn statistics(counts: Counts) -> String {
    statistics_of(&plugin(), counts)
}

/// Those of a gateway with another version of it.
pub fn statistics_of(plugin: &Value, counts: Counts) -> String {
    let Counts { v1, v2, failed, failing, is_tripped } = counts;
    let print = fingerprint::of_text(plugin["spec"]["pluginConfig"].to_string().as_bytes());
    let (weight, out) = if is_tripped { ("100", 1) } else { ("80", 0) };
    let rest = if is_tripped { "0" } else { "20" };
    format!(
        "canary_config_rules{{state=\"active\"}} 1\n\
         canary_config_fingerprint{{plugin=\"istio-system.canary-split\"}} {print}\n\
         canary_config_faults{{plugin=\"istio-system.canary-split\"}} 0\n\
         canary_config_weight{{rule=\"shop\",subset=\"v1\"}} {weight}\n\
         canary_config_weight{{rule=\"shop\",subset=\"v2\"}} {rest}\n\
         canary_tripped{{rule=\"shop\",subset=\"v2\"}} {out}\n\
         canary_requests_total{{rule=\"shop\",subset=\"v1\",source=\"cookie\"}} {v1}\n\
         canary_requests_total{{rule=\"shop\",subset=\"v2\",source=\"cookie\"}} {v2}\n\
         canary_responses_total{{rule=\"shop\",subset=\"v1\",code_class=\"2xx\"}} {v1}\n\
         canary_responses_total{{rule=\"shop\",subset=\"v2\",code_class=\"2xx\"}} {}\n\
         canary_responses_total{{rule=\"shop\",subset=\"v2\",code_class=\"5xx\"}} {failed}\n\
         canary_failing_visitors_total{{rule=\"shop\",subset=\"v2\"}} {failing}\n",
        v2 - failed
    )
}

/// Envoy's admin interface.
pub struct Envoy(pub StandIn);

impl Envoy {
    pub fn start() -> Envoy {
        let envoy = Envoy(StandIn::start());
        envoy.0.answer("/clusters", 200, r#"{"cluster_statuses": []}"#);
        envoy.count(Counts::default());
        envoy
    }

    pub fn count(&self, counts: Counts) {
        self.0.answer("/stats/prometheus", 200, statistics(counts));
    }
}

/// An API server with the plugin and gateway pods; nobody may forward ports.
pub struct ApiServer {
    pub server: StandIn,
    /// How the tool finds it.
    pub kubeconfig: Temporary,
}

impl ApiServer {
    pub fn start(gateways: &[&str]) -> ApiServer {
        let server = StandIn::start();
        let group = "extensions.istio.io";
        let version = json!({"groupVersion": format!("{group}/v1alpha1"), "version": "v1alpha1"});
        let group = json!({"name": group, "versions": [version], "preferredVersion": version});
        server.answer("/apis", 200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}));
        server.answer("/apis/extensions.istio.io/v1alpha1/wasmplugins", 200, list(vec![plugin()]));
        let kubeconfig = server.server.kubeconfig();
        let api = ApiServer { server, kubeconfig };
        api.gateways(gateways);
        for gateway in gateways {
            api.count(gateway, Counts::default());
        }
        api
    }

    /// These gateway pods run.
    pub fn gateways(&self, names: &[&str]) {
        let pod = |name: &&str| {
            json!({
                "metadata": {"namespace": "istio-system", "name": name, "labels": {"istio": "ingressgateway"}},
                "spec": {"containers": [{"name": "istio-proxy", "args": ["proxy", "router"]}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            })
        };
        self.server.answer("/api/v1/pods", 200, list(names.iter().map(pod).collect()));
    }

    pub fn count(&self, gateway: &str, counts: Counts) {
        self.report(gateway, &statistics(counts));
    }

    /// What a gateway pod says.
    pub fn report(&self, gateway: &str, statistics: &str) {
        let pod = format!("/api/v1/namespaces/istio-system/pods/{gateway}");
        self.server.answer(&format!("{pod}:15090/proxy/stats/prometheus"), 200, statistics);
        let refused =
            json!({"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": "no"});
        self.server.answer(&format!("{pod}/portforward"), 403, refused);
    }
}

fn list(items: Vec<Value>) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
}

/// The answer to a request.
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

/// Sends a request with these headers and no others, and reads all of the answer.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    answered(begin(address, method, path, headers))
}

fn answered(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Sends a body, and reads all of the answer.
pub fn send(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let length = body.len().to_string();
    let mut stream = begin(address, "POST", path, &[headers, &[("content-length", &length)]].concat());
    stream.write_all(body.as_bytes()).unwrap();
    answered(stream)
}

/// Sends a request whose answer may go on for ever.
pub fn begin(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // HTTP/1.0: no chunks, and the end is the end of the connection.
    write!(stream, "{method} {path} HTTP/1.0\r\n{headers}\r\n").unwrap();
    stream
}
