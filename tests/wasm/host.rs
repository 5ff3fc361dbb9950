//! A strict fake of Envoy for the built module: it knows the host calls that the filter may make, in the phases in which
//! it may make them, and answers each as Envoy does. Any other call, a wrong phase or a trap fails the test.

use crate::common::Visitor;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use wasmi::{AsContext, AsContextMut, Caller, Engine, Extern, Func, Instance, Linker, Memory, Module, Store, Val};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;

const REQUEST_HEADERS: u32 = 0;
const RESPONSE_HEADERS: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
const PLUGIN_CONFIGURATION: u32 = 7;

const CRITICAL: u32 = 5;

pub type Headers = Vec<(String, Vec<u8>)>;

/// What all VMs of a process share.
#[derive(Default)]
pub struct Shared {
    data: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    cas: u32,
    /// Values by name. Each definition makes a new id for the same value.
    pub stats: BTreeMap<String, i64>,
    ids: Vec<String>,
    /// `(level, message)`; 2 is info, 4 is error.
    pub log: Vec<(u32, String)>,
    /// Seconds since 1970.
    pub time: u64,
    /// How often each host call was made, since the test last looked.
    pub calls: BTreeMap<String, usize>,
    /// How the host has answered, since the test last looked.
    pub answers: Answers,
    /// Which request headers were asked for, since the test last looked.
    pub asked: Vec<String>,
    /// Happens just before the next write of shared data: another VM that is faster.
    pub before_next_write: Option<Box<dyn FnOnce()>>,
}

/// Questions by what the answer was: a value makes the host call back for memory, which costs most of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answers {
    pub data: usize,
    pub absent: usize,
}

impl Shared {
    /// At this time, in seconds since 1970.
    pub fn at(time: u64) -> Shared {
        Shared { time, ..Shared::default() }
    }

    /// The error lines since the last look.
    pub fn take_errors(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log).into_iter().filter(|(level, _)| *level >= 3).map(|(_, line)| line).collect()
    }

    pub fn stat(&self, name: &str) -> i64 {
        self.stats.get(name).copied().unwrap_or(0)
    }

    /// Replaces all shared data by this, as if something else had written it.
    pub fn overwrite_data(&mut self, bytes: &[u8]) {
        for (value, cas) in self.data.values_mut() {
            self.cas += 1;
            (*value, *cas) = (bytes.to_vec(), self.cas);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Phase {
    Start,
    Configure,
    Request,
    Response,
    /// The response's trailers have come; its headers are out of reach.
    Trailers,
    /// A stream has ended: properties can be read, headers cannot.
    Ended,
    /// A second has passed.
    Tick,
    /// Streams come and go; nothing of a request can be reached.
    Between,
    /// A config is no longer in use.
    Unload,
}

struct Vm {
    shared: Rc<RefCell<Shared>>,
    memory: Option<Memory>,
    allocate: Option<Func>,
    phase: Phase,
    plugin: String,
    configuration: Vec<u8>,
    request: Headers,
    response: Headers,
    trailers: Headers,
    flags: u64,
    details: &'static str,
    visitor: Visitor,
    /// Headers that were written in this phase, and those that were asked for.
    written: Vec<String>,
    /// Those that were given a value.
    is_set: Vec<String>,
    asked: Vec<String>,
    /// Stats that this VM has defined.
    defined: HashSet<String>,
    /// Configs that want to know when a second has passed.
    ticking: Vec<(String, u32)>,
    /// The config whose call this is.
    root: u32,
    random: u64,
}

type Result<T> = std::result::Result<T, wasmi::Error>;

/// One VM: a thread of Envoy's.
pub struct Worker {
    store: Store<Vm>,
    instance: Instance,
    /// The config in use of each plugin.
    roots: HashMap<String, u32>,
    /// Streams by config, if any.
    streams: HashMap<u32, usize>,
    contexts: u32,
}

/// A request whose response is still to come.
#[must_use = "a stream ends by a response or by a reset"]
pub struct Stream {
    plugin: String,
    root: u32,
    context: u32,
    request: Headers,
    header: String,
    written: Vec<String>,
    absent: Vec<String>,
}

impl Stream {
    /// The subset header as the next filter sees it.
    pub fn subset(&self) -> Option<Vec<u8>> {
        self.request.iter().find(|(name, _)| *name == self.header).map(|(_, value)| value.clone())
    }
}

/// How an upstream, or Envoy itself, answers.
#[derive(Clone, Default)]
pub struct Reply {
    pub headers: Headers,
    /// Whether the headers are not all that comes.
    pub has_body: bool,
    pub trailers: Option<Headers>,
    /// Envoy's `response.flags` when the headers come, and when the stream has ended.
    pub flags: [u64; 2],
    /// Envoy's `response.code_details`.
    pub details: &'static str,
}

/// A good answer, with a body.
impl From<Headers> for Reply {
    fn from(headers: Headers) -> Reply {
        Reply { headers, has_body: true, trailers: None, flags: [0, 0], details: "via_upstream" }
    }
}

/// What came of one request.
pub struct Exchange {
    /// The subset header: the filter has set it, removed it, or seen that it is absent.
    pub header: String,
    /// The request headers that were written.
    pub written: Vec<String>,
    /// The request headers that were asked for and are not there.
    pub absent: Vec<String>,
    /// The request's headers as the application sees them.
    pub request: Headers,
    /// The response's headers as the client sees them.
    pub response: Headers,
}

/// The compiled module.
#[derive(Clone)]
pub struct Program(Module);

impl Program {
    /// Loads the built module; fails if it is missing or older than its sources.
    pub fn load() -> Program {
        Program::of(&wasmi::Config::default())
    }

    /// The same, with a count of the instructions that are run.
    pub fn metered() -> Program {
        Program::of(wasmi::Config::default().consume_fuel(true))
    }

    fn of(config: &wasmi::Config) -> Program {
        // Next to the files that Cargo gives tests, wherever the target directory is.
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("wasm32-wasip1/release/canary_split.wasm");
        let built = path
            .metadata()
            .and_then(|m| m.modified())
            .unwrap_or_else(|_| panic!("{} is not there: make build", path.display()));
        for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            let changed = source.metadata().unwrap().modified().unwrap();
            assert!(changed <= built, "the module is older than {}: make build", source.display());
        }
        let bytes = std::fs::read(&path).unwrap();
        Program(Module::new(&Engine::new(config), &bytes).unwrap())
    }
}

/// The files below a folder that the module is made of: all but the tool's.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with("src/bin"));
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

impl Worker {
    /// A new VM.
    pub fn new(program: &Program, shared: &Rc<RefCell<Shared>>, seed: u64) -> Worker {
        let vm = Vm {
            shared: Rc::clone(shared),
            memory: None,
            allocate: None,
            phase: Phase::Start,
            plugin: String::new(),
            configuration: Vec::new(),
            request: Headers::new(),
            response: Headers::new(),
            trailers: Headers::new(),
            flags: 0,
            details: "",
            visitor: Visitor::default(),
            written: Vec::new(),
            is_set: Vec::new(),
            asked: Vec::new(),
            defined: HashSet::new(),
            ticking: Vec::new(),
            root: 0,
            random: seed,
        };
        let mut store = Store::new(program.0.engine(), vm);
        // Refused where nobody counts.
        let _ = store.set_fuel(u64::MAX);
        let linker = linker(&mut store, &program.0);
        let instance = linker.instantiate_and_start(&mut store, &program.0).unwrap();
        store.data_mut().memory = instance.get_memory(&store, "memory");
        store.data_mut().allocate = instance.get_func(&store, "proxy_on_memory_allocate");
        let mut worker = Worker { store, instance, roots: HashMap::new(), streams: HashMap::new(), contexts: 0 };
        assert!(worker.instance.get_func(&worker.store, "proxy_abi_version_0_2_1").is_some(), "the ABI that re-routes");
        worker.call("_initialize", &[]);
        worker
    }

    /// Gives the VM a config of a plugin; an older one of that plugin ends with its last stream.
    pub fn configure(&mut self, plugin: &str, configuration: &[u8]) {
        self.store.data_mut().configuration = configuration.to_vec();
        let root = self.context(Phase::Start, plugin, 0);
        assert_eq!(self.call("proxy_on_vm_start", &[root, 0]), Some(1));
        self.store.data_mut().phase = Phase::Configure;
        self.store.data_mut().root = root;
        let size = u32::try_from(configuration.len()).unwrap();
        let good = self.call("proxy_on_configure", &[root, size]);
        assert_eq!(good, Some(1), "on_configure must always be true");
        if let Some(old) = self.roots.insert(plugin.to_owned(), root) {
            self.unload_unused(plugin, old);
        }
    }

    /// Ends a plugin: its WasmPlugin is gone.
    pub fn unload(&mut self, plugin: &str) {
        let root = self.roots.remove(plugin).unwrap();
        self.unload_unused(plugin, root);
    }

    /// The config in use of a plugin.
    pub fn root(&self, plugin: &str) -> u32 {
        self.roots[plugin]
    }

    /// A living config is in use again without being handed out again; the one in use ends.
    pub fn reuse(&mut self, plugin: &str, root: u32) {
        let ended = self.roots.insert(plugin.to_owned(), root).unwrap();
        self.unload_unused(plugin, ended);
    }

    fn unload_unused(&mut self, plugin: &str, root: u32) {
        if self.roots.get(plugin) != Some(&root) && !self.streams.contains_key(&root) {
            self.end(Phase::Unload, plugin, root);
        }
    }

    /// Whose requests follow.
    pub fn visited_by(&mut self, visitor: Visitor) {
        self.store.data_mut().visitor = visitor;
    }

    /// A second has passed for all configs that want to know: older ones too, while they have a stream.
    pub fn tick(&mut self) {
        for (plugin, root) in self.store.data().ticking.clone() {
            self.enter(Phase::Tick, &plugin);
            self.call("proxy_on_tick", &[root]);
        }
    }

    /// One request and its response.
    pub fn exchange(&mut self, plugin: &str, request: Headers, response: impl Into<Reply>) -> Exchange {
        let stream = self.open(plugin, request);
        self.respond(stream, response)
    }

    /// A request passes the filter.
    pub fn open(&mut self, plugin: &str, request: Headers) -> Stream {
        let root = self.roots[plugin];
        *self.streams.entry(root).or_default() += 1;
        let context = self.context(Phase::Between, plugin, root);
        let lines = u32::try_from(request.len()).unwrap();
        self.store.data_mut().request = request;
        self.enter(Phase::Request, plugin);
        let action = self.call("proxy_on_request_headers", &[context, lines, 1]);
        assert_eq!(action, Some(0), "the filter never holds a request");
        let vm = self.store.data_mut();
        let written = vm.written.clone();
        let mut once = written.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), written.len(), "each header of a request is written once at most: {written:?}");
        let request = std::mem::take(&mut vm.request);
        let is_there = |header: &String| request.iter().any(|(name, _)| name == header);
        // Nothing is removed that is not there: that question was asked.
        let absent: Vec<String> = vm.asked.iter().filter(|asked| !is_there(asked)).cloned().collect();
        // The last question is for the header where nothing is written.
        let header = written.first().or(vm.asked.last()).expect("neither a write nor a question").clone();
        let is_ours = |header: &String| vm.is_set.contains(header) || !is_there(header);
        assert!(written.iter().chain([&header]).all(is_ours), "a client says what {header} is: {request:?}");
        Stream { plugin: plugin.to_owned(), root, context, request, header, written, absent }
    }

    /// The response to a request passes the filter.
    pub fn respond(&mut self, stream: Stream, reply: impl Into<Reply>) -> Exchange {
        let Reply { headers, has_body, trailers, flags: [flags, end_flags], details } = reply.into();
        let is_all = !has_body && trailers.is_none();
        let lines = u32::try_from(headers.len()).unwrap();
        let vm = self.store.data_mut();
        (vm.response, vm.flags, vm.details) = (headers, flags, details);
        self.enter(Phase::Response, &stream.plugin);
        let action = self.call("proxy_on_response_headers", &[stream.context, lines, is_all.into()]);
        assert_eq!(action, Some(0), "the filter never holds a response");
        let written = std::mem::take(&mut self.store.data_mut().written);
        if let Some(trailers) = trailers
            && self.instance.get_func(&self.store, "proxy_on_response_trailers").is_some()
        {
            let lines = u32::try_from(trailers.len()).unwrap();
            self.store.data_mut().trailers = trailers;
            self.enter(Phase::Trailers, &stream.plugin);
            let action = self.call("proxy_on_response_trailers", &[stream.context, lines]);
            assert_eq!(action, Some(0), "the filter never holds trailers");
        }
        let vm = self.store.data_mut();
        vm.flags = end_flags;
        vm.written = written;
        // Cookies are lines of their own.
        vm.written.retain(|name| name != "set-cookie");
        let mut written = vm.written.clone();
        written.dedup();
        assert_eq!(written, vm.written, "each header of a response is written once at most");
        let response = std::mem::take(&mut vm.response);
        let Stream { header, request, written, absent, .. } = &stream;
        let (header, request) = (header.clone(), request.clone());
        let exchange = Exchange { header, request, written: written.clone(), absent: absent.clone(), response };
        self.reset(stream);
        exchange
    }

    /// A stream ends, with or without a response.
    pub fn reset(&mut self, stream: Stream) {
        self.end(Phase::Ended, &stream.plugin, stream.context);
        self.store.data_mut().flags = 0;
        let streams = self.streams.get_mut(&stream.root).unwrap();
        *streams -= 1;
        if *streams == 0 {
            self.streams.remove(&stream.root);
            self.unload_unused(&stream.plugin, stream.root);
        }
    }

    /// How many instructions a metered program can still run.
    pub fn fuel(&self) -> u64 {
        self.store.get_fuel().unwrap()
    }

    /// The size of the VM's memory in bytes.
    pub fn memory(&self) -> usize {
        self.store.data().memory.unwrap().data_size(&self.store)
    }

    fn enter(&mut self, phase: Phase, plugin: &str) {
        let vm = self.store.data_mut();
        vm.phase = phase;
        plugin.clone_into(&mut vm.plugin);
        vm.written.clear();
        vm.is_set.clear();
        vm.asked.clear();
    }

    fn context(&mut self, phase: Phase, plugin: &str, parent: u32) -> u32 {
        self.enter(phase, plugin);
        self.contexts += 1;
        self.call("proxy_on_context_create", &[self.contexts, parent]);
        self.contexts
    }

    fn end(&mut self, phase: Phase, plugin: &str, context: u32) {
        self.enter(phase, plugin);
        // Envoy calls what is exported; of a config it logs nothing.
        let logs = phase == Phase::Ended;
        for callback in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
            if (logs || callback != "proxy_on_log") && self.instance.get_func(&self.store, callback).is_some() {
                let answer = self.call(callback, &[context]);
                assert!(callback != "proxy_on_done" || answer == Some(1), "Envoy would wait for the filter");
            }
        }
        self.store.data_mut().ticking.retain(|&(_, root)| root != context);
    }

    fn call(&mut self, name: &str, arguments: &[u32]) -> Option<u32> {
        let function = self.instance.get_func(&self.store, name).unwrap_or_else(|| panic!("no export {name}"));
        let arguments: Vec<Val> = arguments.iter().map(|&a| Val::I32(a.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        if let Err(trap) = function.call(&mut self.store, &arguments, &mut results) {
            let shared = Rc::clone(&self.store.data().shared);
            panic!("{name} trapped: {trap}\nlog: {:#?}", shared.borrow().log.iter().rev().take(5).collect::<Vec<_>>());
        }
        results.first().and_then(Val::i32).map(i32::cast_unsigned)
    }
}

fn memory(caller: &Caller<'_, Vm>) -> Memory {
    caller.data().memory.expect("host calls come after instantiation")
}

fn read(caller: &Caller<'_, Vm>, at: u32, length: u32) -> Result<Vec<u8>> {
    let (at, length) = (at as usize, length as usize);
    let bytes = memory(caller).data(caller.as_context()).get(at..at + length).map(<[u8]>::to_vec);
    bytes.ok_or_else(|| wasmi::Error::new(format!("{length} bytes at {at} are outside of the memory")))
}

fn write_u32(caller: &mut Caller<'_, Vm>, at: u32, value: u32) -> Result<()> {
    let memory = memory(caller);
    memory
        .write(caller.as_context_mut(), at as usize, &value.to_le_bytes())
        .map_err(|e| wasmi::Error::new(e.to_string()))
}

/// Hands bytes over as Envoy does: in memory that the module allots.
fn give(caller: &mut Caller<'_, Vm>, bytes: &[u8], at: u32, size: u32) -> Result<u32> {
    let length = u32::try_from(bytes.len()).expect("fits the memory");
    caller.data().shared.borrow_mut().answers.data += 1;
    // Of nothing Envoy gives a null pointer.
    let mut results = [Val::I32(0)];
    if length > 0 {
        let allocate = caller.data().allocate.expect("host calls come after instantiation");
        allocate.call(caller.as_context_mut(), &[Val::I32(length.cast_signed())], &mut results)?;
    }
    let pointer = results[0].i32().expect("a pointer").cast_unsigned();
    let memory = memory(caller);
    memory.write(caller.as_context_mut(), pointer as usize, bytes).map_err(|e| wasmi::Error::new(e.to_string()))?;
    write_u32(caller, at, pointer)?;
    write_u32(caller, size, length)?;
    Ok(OK)
}

/// Answers that it does not exist.
fn absent(caller: &Caller<'_, Vm>) -> u32 {
    caller.data().shared.borrow_mut().answers.absent += 1;
    NOT_FOUND
}

/// Counts a call and refuses it in a phase in which the filter has no business with it.
fn enter(caller: &Caller<'_, Vm>, name: &str, phases: &[Phase]) -> Result<()> {
    *caller.data().shared.borrow_mut().calls.entry(name.to_owned()).or_default() += 1;
    let phase = caller.data().phase;
    if phases.contains(&phase) { Ok(()) } else { Err(wasmi::Error::new(format!("{name} in the phase {phase:?}"))) }
}

/// The headers of a map, if they can be reached in this phase.
fn headers<'a>(caller: &'a mut Caller<'_, Vm>, map: u32) -> Option<&'a mut Headers> {
    let vm = caller.data_mut();
    match (map, vm.phase) {
        (REQUEST_HEADERS, Phase::Request) => Some(&mut vm.request),
        (RESPONSE_HEADERS, Phase::Response) => Some(&mut vm.response),
        (RESPONSE_TRAILERS, Phase::Trailers) => Some(&mut vm.trailers),
        _ => None,
    }
}

fn name(caller: &Caller<'_, Vm>, at: u32, length: u32) -> Result<String> {
    let name = String::from_utf8(read(caller, at, length)?).map_err(|e| wasmi::Error::new(e.to_string()))?;
    Ok(if name.eq_ignore_ascii_case("host") { ":authority".to_owned() } else { name.to_ascii_lowercase() })
}

fn linker(store: &mut Store<Vm>, module: &Module) -> Linker<Vm> {
    use Phase::{Configure, Ended, Request, Response, Start, Tick, Trailers, Unload};
    let mut linker = Linker::new(module.engine());
    let l = &mut linker;

    l.func_wrap("env", "proxy_log", |c: Caller<'_, Vm>, level: u32, at: u32, length: u32| -> Result<u32> {
        let line = String::from_utf8(read(&c, at, length)?).map_err(|e| wasmi::Error::new(e.to_string()))?;
        c.data().shared.borrow_mut().log.push((level, line));
        // The text of a panic comes just before the trap.
        if level < CRITICAL {
            enter(&c, "proxy_log", &[Configure, Phase::Between, Tick, Unload])?;
        }
        Ok(OK)
    })
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut c: Caller<'_, Vm>, kind: u32, from: u32, most: u32, at: u32, size: u32| -> Result<u32> {
            enter(&c, "proxy_get_buffer_bytes", &[Configure])?;
            if kind != PLUGIN_CONFIGURATION {
                return Err(wasmi::Error::new(format!("buffer {kind} is none of the filter's business")));
            }
            let bytes = c.data().configuration.clone();
            let (from, most) = (from as usize, most as usize);
            match bytes.get(from..(from + most).min(bytes.len())) {
                Some(bytes) => give(&mut c, bytes, at, size),
                None => Ok(BAD_ARGUMENT),
            }
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_get_property",
        |mut c: Caller<'_, Vm>, path: u32, length: u32, at: u32, size: u32| -> Result<u32> {
            enter(&c, "proxy_get_property", &[Configure, Request, Response, Trailers, Ended])?;
            let plugin = c.data().plugin.clone().into_bytes();
            let path = read(&c, path, length)?;
            let path: Vec<&[u8]> = path.split(|&b| b == 0).collect();
            match (c.data().phase, path.as_slice()) {
                (Configure, [b"plugin_name"]) => give(&mut c, &plugin, at, size),
                (Configure, [b"plugin_root_id"]) => give(&mut c, b"", at, size),
                (Request, [b"source", b"address"]) => {
                    let address = c.data().visitor.address.clone();
                    give(&mut c, address.as_bytes(), at, size)
                }
                (Request, [b"metadata"]) => match c.data().visitor.metadata() {
                    Some(value) => give(&mut c, &value, at, size),
                    None => Ok(absent(&c)),
                },
                (Request, [b"metadata", b"filter_metadata", b"envoy.filters.http.jwt_authn", provider, names @ ..]) => {
                    let names: Vec<String> = names.iter().map(|n| String::from_utf8_lossy(n).into_owned()).collect();
                    let visitor = &c.data().visitor;
                    let names = names.iter().map(String::as_str);
                    match (visitor.provider().as_bytes() == *provider).then(|| visitor.claim(names)).flatten() {
                        Some(value) => give(&mut c, &value, at, size),
                        None => Ok(absent(&c)),
                    }
                }
                (Response | Trailers | Ended, [b"response", b"flags"]) => {
                    let flags = c.data().flags.to_le_bytes();
                    give(&mut c, &flags, at, size)
                }
                (Response | Trailers | Ended, [b"response", b"code_details"]) => {
                    let details = c.data().details;
                    give(&mut c, details.as_bytes(), at, size)
                }
                (phase, other) => Err(wasmi::Error::new(format!("property {other:?} in the phase {phase:?}"))),
            }
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut c: Caller<'_, Vm>, key: u32, length: u32, at: u32, size: u32, cas_at: u32| -> Result<u32> {
            enter(
                &c,
                "proxy_get_shared_data",
                &[Configure, Phase::Between, Request, Response, Trailers, Ended, Tick, Unload],
            )?;
            let key = read(&c, key, length)?;
            let found = c.data().shared.borrow().data.get(&key).cloned();
            let Some((bytes, cas)) = found else { return Ok(absent(&c)) };
            write_u32(&mut c, cas_at, cas)?;
            give(&mut c, &bytes, at, size)
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_set_shared_data",
        |c: Caller<'_, Vm>, key: u32, length: u32, at: u32, size: u32, cas: u32| -> Result<u32> {
            enter(
                &c,
                "proxy_set_shared_data",
                &[Configure, Phase::Between, Request, Response, Trailers, Ended, Tick, Unload],
            )?;
            let (key, bytes) = (read(&c, key, length)?, read(&c, at, size)?);
            if !key.starts_with(b"canary-split/") {
                // All plugins of a proxy share one namespace.
                return Err(wasmi::Error::new(format!("shared data {:?}", String::from_utf8_lossy(&key))));
            }
            let faster = c.data().shared.borrow_mut().before_next_write.take();
            if let Some(faster) = faster {
                faster();
            }
            let mut shared = c.data().shared.borrow_mut();
            if shared.data.get(&key).is_some_and(|&(_, current)| cas != 0 && cas != current) {
                return Ok(CAS_MISMATCH);
            }
            shared.cas += 1;
            let cas = shared.cas;
            shared.data.insert(key, (bytes, cas));
            Ok(OK)
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut c: Caller<'_, Vm>, map: u32, key: u32, length: u32, at: u32, size: u32| -> Result<u32> {
            enter(&c, "proxy_get_header_map_value", &[Request, Response, Trailers])?;
            let name = name(&c, key, length)?;
            if c.data().asked.contains(&name) {
                return Err(wasmi::Error::new(format!("{name} is asked for twice")));
            }
            c.data_mut().asked.push(name.clone());
            if c.data().phase == Request {
                c.data().shared.borrow_mut().asked.push(name.clone());
            }
            let Some(headers) = headers(&mut c, map) else { return Ok(BAD_ARGUMENT) };
            match headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone()) {
                Some(value) => give(&mut c, &value, at, size),
                None => Ok(absent(&c)),
            }
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut c: Caller<'_, Vm>, map: u32, key: u32, length: u32, at: u32, size: u32| -> Result<u32> {
            enter(&c, "proxy_replace_header_map_value", &[Request, Response])?;
            let (name, value) = (name(&c, key, length)?, read(&c, at, size)?);
            c.data_mut().written.push(name.clone());
            c.data_mut().is_set.push(name.clone());
            let Some(headers) = headers(&mut c, map) else { return Ok(BAD_ARGUMENT) };
            headers.retain(|(n, _)| *n != name);
            headers.push((name, value));
            Ok(OK)
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut c: Caller<'_, Vm>, map: u32, key: u32, length: u32| -> Result<u32> {
            enter(&c, "proxy_remove_header_map_value", &[Request])?;
            let name = name(&c, key, length)?;
            c.data_mut().written.push(name.clone());
            let Some(headers) = headers(&mut c, map) else { return Ok(BAD_ARGUMENT) };
            let lines = headers.len();
            headers.retain(|(n, _)| *n != name);
            if headers.len() == lines {
                return Err(wasmi::Error::new(format!(
                    "{name} is removed and was not there: the route is chosen again"
                )));
            }
            Ok(OK)
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |mut c: Caller<'_, Vm>, map: u32, key: u32, length: u32, at: u32, size: u32| -> Result<u32> {
            enter(&c, "proxy_add_header_map_value", &[Response])?;
            let (name, value) = (name(&c, key, length)?, read(&c, at, size)?);
            if name != "set-cookie" {
                return Err(wasmi::Error::new(format!("{name} is added to a response")));
            }
            c.data_mut().written.push(name.clone());
            let Some(headers) = headers(&mut c, map) else { return Ok(BAD_ARGUMENT) };
            headers.push((name, value));
            Ok(OK)
        },
    )
    .unwrap();

    l.func_wrap(
        "env",
        "proxy_define_metric",
        |mut c: Caller<'_, Vm>, _kind: u32, at: u32, length: u32, id_at: u32| -> Result<u32> {
            enter(
                &c,
                "proxy_define_metric",
                &[Configure, Request, Response, Trailers, Ended, Tick, Phase::Between, Unload],
            )?;
            let name = String::from_utf8(read(&c, at, length)?).map_err(|e| wasmi::Error::new(e.to_string()))?;
            if !c.data_mut().defined.insert(name.clone()) {
                return Err(wasmi::Error::new(format!("{name} is defined twice in one VM, each time with a new id")));
            }
            let id = {
                let mut shared = c.data().shared.borrow_mut();
                shared.stats.entry(name.clone()).or_default();
                shared.ids.push(name);
                u32::try_from(shared.ids.len()).expect("fewer stats")
            };
            write_u32(&mut c, id_at, id)?;
            Ok(OK)
        },
    )
    .unwrap();

    l.func_wrap("env", "proxy_increment_metric", |c: Caller<'_, Vm>, id: u32, offset: i64| -> Result<u32> {
        enter(&c, "proxy_increment_metric", &[Configure, Request, Response, Trailers, Ended])?;
        Ok(stat(&c, id, |value| (offset > 0).then_some(value + offset)))
    })
    .unwrap();

    l.func_wrap("env", "proxy_get_metric", |mut c: Caller<'_, Vm>, id: u32, at: u32| -> Result<u32> {
        enter(&c, "proxy_get_metric", &[Configure, Tick])?;
        let mut found = 0;
        let status = stat(&c, id, |value| {
            found = value;
            Some(value)
        });
        let memory = memory(&c);
        memory.write(&mut c, at as usize, &found.to_le_bytes()).map_err(|e| wasmi::Error::new(e.to_string()))?;
        Ok(status)
    })
    .unwrap();

    l.func_wrap("env", "proxy_set_tick_period_milliseconds", |mut c: Caller<'_, Vm>, period: u32| -> Result<u32> {
        enter(&c, "proxy_set_tick_period_milliseconds", &[Configure])?;
        if period != 1000 {
            return Err(wasmi::Error::new(format!("a tick of {period} ms")));
        }
        let vm = c.data_mut();
        vm.ticking.push((vm.plugin.clone(), vm.root));
        Ok(OK)
    })
    .unwrap();

    l.func_wrap("env", "proxy_record_metric", |c: Caller<'_, Vm>, id: u32, value: i64| -> Result<u32> {
        enter(&c, "proxy_record_metric", &[Configure, Tick, Phase::Between, Unload])?;
        Ok(stat(&c, id, |_| Some(value)))
    })
    .unwrap();

    l.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut c: Caller<'_, Vm>, at: u32| -> Result<u32> {
        let phases = [Configure, Request, Response, Trailers, Ended, Tick, Phase::Between, Unload];
        enter(&c, "proxy_get_current_time_nanoseconds", &phases)?;
        let nanoseconds = c.data().shared.borrow().time * 1_000_000_000;
        let memory = memory(&c);
        memory.write(&mut c, at as usize, &nanoseconds.to_le_bytes()).map_err(|e| wasmi::Error::new(e.to_string()))?;
        Ok(OK)
    })
    .unwrap();

    l.func_wrap("wasi_snapshot_preview1", "random_get", |mut c: Caller<'_, Vm>, at: u32, length: u32| -> Result<u32> {
        enter(&c, "random_get", &[Start, Configure, Request])?;
        let mut random = fastrand::Rng::with_seed(c.data().random);
        let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
        c.data_mut().random = random.u64(..);
        let memory = memory(&c);
        memory.write(&mut c, at as usize, &bytes).map_err(|e| wasmi::Error::new(e.to_string()))?;
        Ok(OK)
    })
    .unwrap();

    for size in ["environ_sizes_get", "environ_get"] {
        l.func_wrap("wasi_snapshot_preview1", size, |mut c: Caller<'_, Vm>, count: u32, bytes: u32| -> Result<u32> {
            enter(&c, "the environment", &[Start])?;
            write_u32(&mut c, count, 0)?;
            write_u32(&mut c, bytes, 0)?;
            Ok(OK)
        })
        .unwrap();
    }

    // Whatever else the SDK imports: the filter never calls it.
    for import in module.imports() {
        let Some(ty) = import.ty().func() else { continue };
        let name = import.name().to_owned();
        let refuse = Func::new(&mut *store, ty.clone(), move |_, _, _| {
            Err(wasmi::Error::new(format!("unexpected host call {name}")))
        });
        // The ones above are defined already and stay.
        let _ = l.define(import.module(), import.name(), Extern::Func(refuse));
    }
    linker
}

fn stat(caller: &Caller<'_, Vm>, id: u32, change: impl FnOnce(i64) -> Option<i64>) -> u32 {
    let mut shared = caller.data().shared.borrow_mut();
    let Some(name) = (id as usize).checked_sub(1).and_then(|id| shared.ids.get(id)).cloned() else { return NOT_FOUND };
    let value = shared.stats.get_mut(&name).expect("defined");
    match change(*value) {
        Some(changed) => {
            *value = changed;
            OK
        }
        None => BAD_ARGUMENT,
    }
}
