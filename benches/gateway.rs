//! The gateway beside nginx, HAProxy and configurable-http-proxy: one process of each on one processor, one backend, in
//! one run over loopback. Ends in lines `offhost/NAME RATIO`; see `scripts/bench-gateway` for what has to be there.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use offhost::apps::{Address, AppId};
use offhost::gateway::OwnPages;
use offhost::gateway::cookie_keys::KeyFile;
use offhost::gateway::{
    AppState, Backend, Claim, Found, Gateway, NoSeat, Options, Parts, Processes, Route, Routes, Seat, Serves,
};
use offhost::telemetry::gateway::GatewayMetrics;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Ports of the backend, and of the contestants in their order: below those that the system gives to connections.
const BACKEND: u16 = 19_400;
const NAMES: [&str; 4] = ["offhost", "nginx", "haproxy", "configurable-http-proxy"];
const CONNECTIONS: u32 = 32;
const SECONDS: u32 = 4;
/// Silent WebSockets that memory is told for.
const SOCKETS: usize = 10_000;
const ROUTES: usize = 10_000;

type Any = Box<dyn Error>;

fn main() -> Result<(), Any> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("serve-backend") => backend(),
        Some("serve-gateway") => gateway(),
        _ => compare(),
    }
}

fn port(index: usize) -> u16 {
    BACKEND + 1 + u16::try_from(index).expect("there are four")
}

/// Answers each request with 128 bytes, and each handshake with 101 and silence.
fn backend() -> Result<(), Any> {
    more_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", BACKEND)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream));
        }
    })
}

async fn answer(mut stream: tokio::net::TcpStream) {
    let body = "x".repeat(128);
    let plain = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n{body}");
    drop(stream.set_nodelay(true));
    let mut buffer = vec![0; 4096];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let is_socket = buffer[..filled]
            .windows(10)
            .any(|word| word.eq_ignore_ascii_case(b"websocket\r"));
        if !is_socket {
            filled = 0;
            if stream.write_all(plain.as_bytes()).await.is_err() {
                return;
            }
            continue;
        }
        let reply = switched(&String::from_utf8_lossy(&buffer[..filled]));
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
        (buffer, filled) = (vec![0; 16], 0);
    }
}

/// The answer to a handshake. HAProxy looks at it.
fn switched(request: &str) -> String {
    let key = request.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then_some(value.trim())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Gives seats at the one backend.
#[derive(Debug)]
struct Desk(Address);

impl Backend for Desk {
    fn take(&self, _: Claim) -> BoxFuture<'_, Result<Seat, NoSeat>> {
        let seat = Seat {
            process: "p".into(),
            address: self.0.clone(),
            new_session: false,
            guard: Box::new(()),
        };
        std::future::ready(Ok(seat)).boxed()
    }

    fn state(&self, _: &AppId) -> Option<watch::Receiver<AppState>> {
        None
    }
}

fn route(name: &str, path: &str) -> Route {
    Route {
        app: name.into(),
        name: name.to_owned(),
        path: path.to_owned(),
        host: None,
        access: offhost::visitors::AccessRule::All,
        serves: Serves::Processes(Processes {
            keeps_prefix: false,
            affinity: false,
            is_shiny: false,
            connection_timeout: Some(Duration::from_secs(3600)),
            read_timeout: Some(Duration::from_secs(3600)),
            max_hold: Duration::from_secs(60),
            fallbacks: None,
            runs_as: None,
        }),
    }
}

fn gateway() -> Result<(), Any> {
    more_files();
    let directory = tempfile::tempdir()?;
    let routes = Arc::new(Routes::default());
    routes.set(route("app", "/content/app"))?;
    let options = Options {
        http: vec![SocketAddr::from(([127, 0, 0, 1], port(0)))],
        threads: 1,
        ..Options::default()
    };
    let parts = Parts {
        routes,
        backend: Arc::new(Desk(Address::Tcp(SocketAddr::from(([127, 0, 0, 1], BACKEND))))),
        keys: Arc::new(KeyFile::open_or_make(directory.path().join("keys"))?),
        door: offhost::gateway::Door::Open,
        pages: Arc::new(OwnPages),
        metrics: Arc::new(GatewayMetrics::new()),
        peers: None,
    };
    let _gateway = Gateway::start(options, parts)?;
    // Until the benchmark ends.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn more_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // With fewer the sockets below are fewer as well, which shows.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// A process that ends with the benchmark.
struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Running {
    /// Starts a command on one processor and waits until it listens.
    fn start(cpu: u32, command: &[&str], port: u16) -> Result<Self, Any> {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", &cpu.to_string()]).args(command);
        let child = taskset
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let running = Self { child };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                return Err(format!("'{}' does not listen on {port}", command.join(" ")).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }

    /// Seconds of processor time, and bytes in memory.
    fn usage(&self) -> Result<(f64, f64), Any> {
        let directory = Path::new("/proc").join(self.child.id().to_string());
        let stat = fs::read_to_string(directory.join("stat"))?;
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = fs::read_to_string(directory.join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident
            .and_then(|line| line.split_whitespace().next())
            .unwrap_or("0");
        #[expect(clippy::cast_precision_loss, reason = "it is about a hundred")]
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        Ok((ticks / per_second, resident.parse::<f64>()? * 1024.0))
    }
}

/// What a load made of a contestant.
#[derive(Debug)]
struct Load {
    per_second: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

fn load(url: &str, running: &Running) -> Result<Load, Any> {
    let before = running.usage()?.0;
    let connections = format!("-c{CONNECTIONS}");
    let duration = format!("-d{SECONDS}s");
    let args = ["-c", "1", "wrk", "-t1", &connections, &duration, "--latency", url];
    let output = Command::new("taskset").args(args).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let cpu = running.usage()?.0 - before;
    let after = |word: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(word));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        value.ok_or_else(|| format!("wrk does not tell '{word}':\n{text}"))
    };
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("{url} has errors:\n{text}").into());
    }
    let per_second: f64 = after("Requests/sec:")?.parse()?;
    Ok(Load {
        per_second,
        p50: milliseconds(after("50%")?)?,
        p99: milliseconds(after("99%")?)?,
        cpu: cpu * 1e6 / (per_second * f64::from(SECONDS)),
    })
}

fn milliseconds(text: &str) -> Result<f64, Any> {
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let value: f64 = text[..at].parse()?;
    Ok(match &text[at..] {
        "us" => value / 1000.0,
        "ms" => value,
        _ => value * 1000.0,
    })
}

fn compare() -> Result<(), Any> {
    more_files();
    let directory = tempfile::tempdir()?;
    let own = std::env::current_exe()?.display().to_string();
    let backend = Running::start(1, &[&own, "serve-backend"], BACKEND)?;
    let alone = load(&format!("http://127.0.0.1:{BACKEND}/content/app/"), &backend)?;
    println!(
        "{:26} {:>10} {:>9} {:>9} {:>12} {:>14}",
        "", "requests/s", "p50 ms", "p99 ms", "CPU us/req", "10k sockets MiB"
    );
    println!(
        "{:26} {:10.0} {:9.3} {:9.3} {:12.1}",
        "backend", alone.per_second, alone.p50, alone.p99, alone.cpu
    );
    let mut results = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        let command = contestant(index, directory.path(), &own)?;
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let running = Running::start(0, &command, port(index))?;
        let load = load(
            &format!("http://127.0.0.1:{}/content/app/", port(index)),
            &running,
        )?;
        let bytes = idle_sockets(port(index), &running)?;
        println!(
            "{name:26} {:10.0} {:9.3} {:9.3} {:12.1} {:14.1}",
            load.per_second,
            load.p50,
            load.p99,
            load.cpu,
            bytes / 1048576.0
        );
        results.push((load, bytes));
    }
    let change = route_change()?;
    println!(
        "route change to effect at {ROUTES} routes: {:.1} us",
        change * 1e6
    );
    let (offhost, nginx) = (&results[0], &results[1]);
    println!(
        "offhost/gateway-requests-vs-nginx {:.3}",
        offhost.0.per_second / nginx.0.per_second
    );
    println!(
        "offhost/gateway-requests-vs-haproxy {:.3}",
        offhost.0.per_second / results[2].0.per_second
    );
    println!(
        "offhost/gateway-requests-vs-chp {:.3}",
        offhost.0.per_second / results[3].0.per_second
    );
    println!("offhost/gateway-p50-vs-nginx {:.3}", offhost.0.p50 / nginx.0.p50);
    println!("offhost/gateway-p99-added-ms {:.3}", offhost.0.p99 - alone.p99);
    println!("offhost/gateway-cpu-vs-nginx {:.3}", offhost.0.cpu / nginx.0.cpu);
    println!("offhost/gateway-sockets-mib {:.1}", offhost.1 / 1048576.0);
    println!("offhost/gateway-route-change-us {:.1}", change * 1e6);
    Ok(())
}

/// How a contestant is started: one process, or one worker in the foreground.
fn contestant(index: usize, directory: &Path, own: &str) -> Result<Vec<String>, Any> {
    let (port, at) = (port(index), directory.display());
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
    Ok(match index {
        0 => words(format!("{own} serve-gateway")),
        1 => {
            let config = format!(
                "daemon off; master_process off; pid {at}/nginx.pid; error_log /dev/null;\n\
                 events {{ worker_connections 30000; }}\nhttp {{ access_log off; keepalive_requests 100000000;\n\
                 upstream app {{ server 127.0.0.1:{BACKEND}; keepalive 64; keepalive_requests 100000000; }}\n\
                 map $http_upgrade $hop {{ default upgrade; '' ''; }}\n\
                 server {{ listen 127.0.0.1:{port}; location /content/app/ {{ proxy_pass http://app/; proxy_http_version 1.1;\n\
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $hop; proxy_set_header Host $host;\n\
                 proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;\n\
                 proxy_read_timeout 3600s; }} }} }}\n"
            );
            fs::write(directory.join("nginx.conf"), config)?;
            words(format!("nginx -p {at} -c {at}/nginx.conf -e /dev/null"))
        }
        2 => {
            // It does not start where its own count of descriptors for them is above the limit.
            let connections = possible_sockets() + 50;
            let config = format!(
                "global\n nbthread 1\n maxconn {connections}\ndefaults\n mode http\n timeout client 1h\n timeout server 1h\n \
                 timeout connect 5s\n timeout tunnel 1h\n option forwardfor\nfrontend f\n bind 127.0.0.1:{port}\n \
                 http-request replace-path /content/app(/.*) \\1\n default_backend b\nbackend b\n \
                 http-reuse always\n server s 127.0.0.1:{BACKEND}\n"
            );
            fs::write(directory.join("haproxy.cfg"), config)?;
            words(format!("haproxy -db -f {at}/haproxy.cfg"))
        }
        _ => {
            let program =
                std::env::var("OFFHOST_BENCH_CHP").unwrap_or_else(|_| "configurable-http-proxy".to_owned());
            words(format!(
                "{program} --ip 127.0.0.1 --port {port} --api-port {} --default-target http://127.0.0.1:{BACKEND} \
                 --no-include-prefix --log-level error",
                port + 100
            ))
        }
    })
}

/// How many WebSockets a contestant can have at once: each is two descriptors, and some are for other things.
fn possible_sockets() -> usize {
    let most = getrlimit(Resource::Nofile)
        .maximum
        .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    SOCKETS.min(most.saturating_sub(300) / 2)
}

/// Bytes in memory of a contestant with `SOCKETS` silent WebSockets, told from as many as the limit of open files lets
/// it have.
#[expect(clippy::cast_precision_loss, reason = "they are some thousands")]
fn idle_sockets(port: u16, running: &Running) -> Result<f64, Any> {
    let before = running.usage()?.1;
    let possible = possible_sockets();
    let handshake = "GET /content/app/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let mut open = Vec::with_capacity(possible);
    let mut reply = String::new();
    for _ in 0..possible {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(handshake.as_bytes())?;
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece)?;
        reply.clear();
        write!(reply, "{}", String::from_utf8_lossy(&piece[..read]))?;
        if !reply.starts_with("HTTP/1.1 101") {
            return Err(format!("no WebSocket at {port}: {reply}").into());
        }
        open.push(stream);
    }
    std::thread::sleep(Duration::from_millis(500));
    let added = running.usage()?.1 - before;
    Ok(before + added * SOCKETS as f64 / possible as f64)
}

/// Seconds from a change of one of many routes to the first look that finds it.
fn route_change() -> Result<f64, Any> {
    let routes = Routes::default();
    for number in 0..ROUTES {
        routes.set(route(&format!("app-{number}"), &format!("/content/app-{number}")))?;
    }
    let mut times = Vec::new();
    for number in 0..1000 {
        let path = format!("/moved/app-{number}");
        let changed = route(&format!("app-{number}"), &path);
        let asked = format!("{path}/x");
        let begun = Instant::now();
        routes.set(changed)?;
        let is_there = matches!(routes.find("gw", &asked), Found::Route(_));
        times.push(begun.elapsed().as_secs_f64());
        if !is_there {
            return Err(format!("{asked} is not found").into());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
