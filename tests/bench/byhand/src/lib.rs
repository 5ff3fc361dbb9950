//! The filter's jobs at their least cost in WebAssembly: the bare ABI (proxy-wasm 0.2.1), no SDK, no allocator, no config except a
//! word that names the job; hosts, cookie and weights are constants. It takes every short cut that a real filter must not take.

use std::cell::UnsafeCell;

type Status = u32;
const REQUEST: u32 = 0;
const RESPONSE: u32 = 2;
const PLUGIN_CONFIGURATION: u32 = 7;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_value(map: u32, key: *const u8, size: usize, value: *mut *const u8, length: *mut usize) -> Status;
    fn proxy_replace_header_map_value(map: u32, key: *const u8, size: usize, value: *const u8, length: usize) -> Status;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, size: usize) -> Status;
    fn proxy_add_header_map_value(map: u32, key: *const u8, size: usize, value: *const u8, length: usize) -> Status;
    fn proxy_get_buffer_bytes(kind: u32, from: usize, most: usize, value: *mut *const u8, length: *mut usize) -> Status;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> Status;
    fn proxy_increment_metric(id: u32, by: i64) -> Status;
}

struct Global<T>(UnsafeCell<T>);
// A VM serves one thread.
unsafe impl<T> Sync for Global<T> {}

struct State {
    /// What the host hands over is written here, from the start again for each callback.
    arena: [u8; 65536],
    used: usize,
    /// The job of each config, by its root context; plugins share a VM.
    jobs: [u8; 256],
    /// The job of each stream.
    job: [u8; 1024],
    random: u64,
    /// Streams whose response gets a cookie, by their context's id modulo the length; a draw, or none.
    new: [Option<u32>; 1024],
    metrics: [u32; 2],
    rules: [([u8; 16], usize); 100],
}

static STATE: Global<State> = Global(UnsafeCell::new(State {
    arena: [0; 65536],
    used: 0,
    jobs: [0; 256],
    job: [0; 1024],
    random: 0x9e37_79b9_7f4a_7c15,
    new: [None; 1024],
    metrics: [0; 2],
    rules: [([0; 16], 0); 100],
}));

fn state() -> &'static mut State {
    unsafe { &mut *STATE.0.get() }
}

fn header(map: u32, name: &str) -> Option<&'static [u8]> {
    let (mut value, mut length) = (std::ptr::null(), 0);
    let status = unsafe { proxy_get_header_map_value(map, name.as_ptr(), name.len(), &mut value, &mut length) };
    (status == 0 && !value.is_null()).then(|| unsafe { std::slice::from_raw_parts(value, length) })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    let state = state();
    if state.used + size > state.arena.len() {
        state.used = 0;
    }
    state.used += size;
    state.arena[state.used - size..].as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_: u32, _: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    let state = state();
    let (mut value, mut length) = (std::ptr::null(), 0);
    unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &mut value, &mut length) };
    // The first letter is enough: {"job": "…"}
    state.jobs[root as usize % 256] = if length > 9 { unsafe { *value.add(9) } } else { 0 };
    for (metric, name) in state.metrics.iter_mut().zip(["byhand_requests", "byhand_responses"]) {
        unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), metric) };
    }
    for (n, (text, length)) in state.rules.iter_mut().enumerate() {
        let prefix = format!("/service-{n}/");
        text[..prefix.len()].copy_from_slice(prefix.as_bytes());
        *length = prefix.len();
    }
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    let state = state();
    state.job[context as usize % 1024] = state.jobs[parent as usize % 256];
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_: u32) {}

fn fresh() -> u32 {
    let random = &mut state().random;
    *random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
    (*random >> 32) as u32
}

/// FNV-1a: shorter than any hash that one would publish.
fn hash(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, &b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

fn cookie_draw(header: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"canary-httpbin=1.";
    let at = header.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    header.get(at..at + 8)?.iter().try_fold(0, |draw, &b| Some(draw << 4 | char::from(b).to_digit(16)?))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _: usize, _: u32) -> u32 {
    let state = state();
    state.used = 0;
    let job = state.job[context as usize % 1024];
    let ours = header(REQUEST, ":authority") == Some(if job == b'o' { b"elsewhere.example.com" } else { b"canary.example.com" });
    let new = &mut state.new[context as usize % 1024];
    *new = None;
    let draw = match job {
        _ if !ours => None,
        b'w' => Some(fresh()),
        b'k' => header(REQUEST, "x-user-id").map(hash),
        b't' => (header(REQUEST, "x-canary-key") == Some(b"3fb1c2d4")).then_some(0),
        b'l' => {
            let path = header(REQUEST, ":path").unwrap_or_default();
            state.rules.iter().any(|(prefix, length)| path.starts_with(&prefix[..*length])).then(fresh)
        }
        _ => Some(match header(REQUEST, "cookie").and_then(cookie_draw) {
            Some(draw) => {
                let mut now = 0;
                unsafe { proxy_get_current_time_nanoseconds(&mut now) };
                draw
            }
            None => {
                // Whether the cookie has to be Secure, and whether this is a preflight.
                if header(REQUEST, ":scheme") != Some(b"https") && header(REQUEST, ":method") == Some(b"OPTIONS") {
                    return 0;
                }
                *new = Some(fresh());
                new.unwrap_or(0)
            }
        }),
    };
    const HEADER: &str = "x-canary-subset";
    unsafe {
        match draw {
            Some(draw) => {
                let subset = if draw < 858_993_459 { "v2" } else { "v1" };
                proxy_replace_header_map_value(REQUEST, HEADER.as_ptr(), HEADER.len(), subset.as_ptr(), subset.len());
            }
            None if header(REQUEST, HEADER).is_some() => {
                proxy_remove_header_map_value(REQUEST, HEADER.as_ptr(), HEADER.len());
            }
            None => {}
        }
        proxy_increment_metric(state.metrics[0], 1);
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _: usize, _: u32) -> u32 {
    let state = state();
    state.used = 0;
    let is_final = header(RESPONSE, ":status").is_some_and(|status| status != b"103");
    unsafe { proxy_increment_metric(state.metrics[1], 1) };
    if let Some(draw) = state.new[context as usize % 1024].take()
        && is_final
    {
        let mut now = 0;
        unsafe { proxy_get_current_time_nanoseconds(&mut now) };
        let mut cookie = *b"canary-httpbin=1.00000000.0000000; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax";
        let mut write = |at: usize, digits: usize, number: u64| {
            for digit in 0..digits {
                cookie[at + digit] = b"0123456789abcdef"[(number >> (4 * (digits - 1 - digit)) & 0xf) as usize];
            }
        };
        write(17, 8, draw.into());
        write(26, 7, now / 60_000_000_000);
        const NAME: &str = "set-cookie";
        unsafe { proxy_add_header_map_value(RESPONSE, NAME.as_ptr(), NAME.len(), cookie.as_ptr(), cookie.len()) };
    }
    0
}
