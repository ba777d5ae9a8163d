//! An application of a test, and a visitor of the gateway.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Refusal;
use crate::job::{Condition, SOON, condition};
use crate::release::Release;
use crate::{api, cluster};

/// How often is looked.
const PACE: Duration = Duration::from_millis(100);

/// An application that answers with a word, its process, and how often it was asked. It brings no server of its own.
pub(crate) fn plain(word: &str) -> String {
    format!(
        "import os\nimport time\n\nBEGAN = time.time()\n\n\ndef app(environ, start_response):\n    \
         path = environ['PATH_INFO']\n    if path == '/end':\n        os._exit(7)\n    \
         start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
         return [f'{word} {{os.getpid()}} {{BEGAN}} {{path}}\\n'.encode()]\n"
    )
}

/// The manifest of an application without packages.
pub(crate) fn manifest() -> String {
    json!({
        "version": 1, "metadata": {"appmode": "python-api", "entrypoint": "app"},
        "python": {"version": "3.11.2"}, "files": {},
    })
    .to_string()
}

pub(crate) struct App<'r> {
    pub(crate) release: &'r Release,
    pub(crate) name: String,
}

/// Path of the applications of a namespace.
pub(crate) fn apps(namespace: &str) -> String {
    format!("/apis/offhost.dev/v1alpha1/namespaces/{namespace}/contentapps")
}

impl Release {
    /// Deploys an application without packages and makes it.
    #[track_caller]
    pub(crate) fn app(&self, name: &str, source: &str, more: &Value) -> App<'_> {
        self.bundle(name, &[("app.py", source), ("manifest.json", &manifest())]);
        let mut spec = json!({"bundle": {"path": name}});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.try_app(name, &spec)
            .unwrap_or_else(|refusal| panic!("application '{name}' is refused: {refusal:?}"))
    }

    /// Tries to make an application.
    pub(crate) fn try_app(&self, name: &str, spec: &Value) -> Result<App<'_>, Refusal> {
        let object = json!({
            "apiVersion": "offhost.dev/v1alpha1", "kind": "ContentApp",
            "metadata": {"name": name}, "spec": spec,
        });
        api::try_create(&apps(&self.namespace), &object)?;
        Ok(App {
            release: self,
            name: name.to_owned(),
        })
    }

    /// A way to the gateway.
    #[track_caller]
    pub(crate) fn gateway(&self) -> Way {
        Way::to(self, "service/offhost-gateway", 80)
    }
}

impl App<'_> {
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", apps(&self.release.namespace), self.name)
    }

    #[track_caller]
    pub(crate) fn get(&self) -> Value {
        api::get(&self.path())
    }

    /// Waits until it is as wanted.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(SOON, what, wanted)
    }

    /// The same, with a limit.
    #[track_caller]
    pub(crate) fn wait_for(&self, limit: Duration, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + limit;
        loop {
            let app = self.get();
            if wanted(&app) {
                return app;
            }
            assert!(
                Instant::now() < end,
                "application '{}' is not {what}\n{}",
                self.name,
                self.told()
            );
            std::thread::sleep(PACE);
        }
    }

    /// Waits until a condition has that status and reason, and gives its sentence.
    #[track_caller]
    pub(crate) fn says(&self, kind: &str, status: &str, reason: &str) -> String {
        let what = format!("{kind}={status} for {reason}");
        let app = self.wait(&what, |app| {
            let Condition {
                status: is,
                reason: why,
                ..
            } = condition(app, kind);
            is == status && why == reason
        });
        condition(&app, kind).message
    }

    /// Its Pods.
    pub(crate) fn pods(&self) -> Vec<Value> {
        let label = format!("?labelSelector=offhost.dev%2Fapp-name%3D{}", self.name);
        api::list(&(api::core(&self.release.namespace, "pods") + &label))
    }

    /// Waits until it has so many Pods.
    #[track_caller]
    pub(crate) fn has_pods(&self, count: usize) -> Vec<Value> {
        let end = Instant::now() + SOON;
        loop {
            let pods = self.pods();
            if pods.len() == count {
                return pods;
            }
            assert!(
                Instant::now() < end,
                "application '{}' has {} Pods and not {count}\n{}",
                self.name,
                pods.len(),
                self.told()
            );
            std::thread::sleep(PACE);
        }
    }

    /// Changes its specification.
    #[track_caller]
    pub(crate) fn change(&self, spec: &Value) {
        api::patch(&self.path(), &json!({ "spec": spec }));
    }

    /// All that the cluster says of it.
    pub(crate) fn told(&self) -> String {
        let selector = format!("--selector=offhost.dev/app-name={}", self.name);
        let mut text = String::new();
        for command in [
            vec!["get", "capp", &self.name, "--output=yaml"],
            vec!["describe", "pods", &selector],
            vec!["logs", &selector, "--tail=20"],
        ] {
            let output = cluster::try_run(self.release.kubectl().args(command));
            text.push_str(&String::from_utf8_lossy(&output.stdout));
        }
        text + &self.release.told()
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            api::delete(&self.path());
        }
    }
}

/// A way into the cluster: `kubectl port-forward`, for as long as it lives.
pub(crate) struct Way {
    child: Child,
    port: u16,
}

impl Way {
    /// To a Pod or Service of a release.
    #[track_caller]
    pub(crate) fn to(release: &Release, target: &str, port: u16) -> Self {
        let mut child = release
            .kubectl()
            .args(["port-forward", target, &format!(":{port}")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        told.read_line(&mut line).unwrap();
        // It tells of every connection, and ends where nobody hears it.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        let found = line
            .split("127.0.0.1:")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let port = found.and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("{target} can not be reached: {line}\n{}", release.told()));
        Self { child, port }
    }

    /// Path of the gateways' Pods.
    pub(crate) fn gateway_pods(release: &Release) -> String {
        api::core(&release.namespace, "pods") + "?labelSelector=app.kubernetes.io%2Fcomponent%3Dgateway"
    }

    /// To each gateway that is not about to end.
    #[track_caller]
    pub(crate) fn to_gateways(release: &Release) -> Vec<Self> {
        let pods = api::list(&Self::gateway_pods(release));
        let stay = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        stay.map(|pod| {
            let name = pod["metadata"]["name"].as_str().unwrap();
            Self::to(release, &format!("pod/{name}"), 3939)
        })
        .collect()
    }

    /// Opens a WebSocket, with further header lines, each with its end.
    #[track_caller]
    pub(crate) fn socket(&self, path: &str, headers: &str) -> Socket {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let port = self.port;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{headers}\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            let read = stream.read_exact(&mut byte);
            assert!(
                read.is_ok(),
                "{path}: {read:?} {}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        Socket { stream }
    }

    /// Asks for a page, in one connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(path, "")
    }

    /// The same with further header lines, each with its end.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str, headers: &str) -> Answer {
        self.request("GET", path, headers, "")
    }

    /// Sends JSON.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, headers: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let length = body.len();
        let headers = format!("{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n");
        self.request("POST", path, &headers, &body)
    }

    #[track_caller]
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let port = self.port;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes)
            .unwrap_or_else(|| panic!("{path}: {read:?} {}", String::from_utf8_lossy(&bytes)))
    }

    /// Asks until the answer is as wanted.
    #[track_caller]
    pub(crate) fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        self.until_so(SOON, path, "", wanted)
    }

    /// The same as a person does, who sees a page while nothing answers, with a limit.
    #[track_caller]
    pub(crate) fn until_for(&self, limit: Duration, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        self.until_so(limit, path, "Accept: text/html\r\n", wanted)
    }

    #[track_caller]
    pub(crate) fn until_so(
        &self,
        limit: Duration,
        path: &str,
        headers: &str,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let end = Instant::now() + limit;
        loop {
            let answer = self.ask(path, headers);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{path}: {answer:?}");
            std::thread::sleep(PACE);
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whole frames of a WebSocket.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A WebSocket.
pub(crate) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Sends a message.
    #[track_caller]
    pub(crate) fn send(&mut self, text: &str) {
        self.write(TEXT, text.as_bytes());
    }

    /// Sends a message that is no text.
    #[track_caller]
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.write(BINARY, bytes);
    }

    /// The next message. Pings are answered on the way to it.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> String {
        let (kind, bytes) = self.message();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(kind, TEXT, "a message, and not: {text}");
        text
    }

    /// The next message with these words in it, text or not.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) -> String {
        let end = Instant::now() + SOON;
        let mut heard = String::new();
        loop {
            let (kind, bytes) = self.message();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.contains(words) {
                return text;
            }
            heard.push_str(text.get(..200).unwrap_or(&text));
            heard.push('\n');
            let is_open = matches!(kind, TEXT | BINARY) && Instant::now() < end;
            assert!(is_open, "nobody says '{words}', but: {heard}");
        }
    }

    #[track_caller]
    fn message(&mut self) -> (u8, Vec<u8>) {
        loop {
            let (kind, bytes) = self.frame();
            if kind != PING {
                return (kind, bytes);
            }
            self.write(PONG, &bytes);
        }
    }

    #[track_caller]
    fn write(&mut self, kind: u8, bytes: &[u8]) {
        let mut frame = vec![kind];
        match u8::try_from(bytes.len()).ok().filter(|length| *length < 126) {
            Some(length) => frame.push(0x80 | length),
            None => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
            }
        }
        // A mask of zeros leaves the message as it is.
        frame.extend([0; 4]);
        frame.extend(bytes);
        self.stream.write_all(&frame).unwrap();
    }

    #[track_caller]
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start).unwrap();
        let mut length = usize::from(start[1]);
        if length == 126 {
            let mut long = [0; 2];
            self.stream.read_exact(&mut long).unwrap();
            length = usize::from(u16::from_be_bytes(long));
        } else if length == 127 {
            let mut long = [0; 8];
            self.stream.read_exact(&mut long).unwrap();
            length = usize::try_from(u64::from_be_bytes(long)).unwrap();
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        (start[0], bytes)
    }

    /// What is answered to a message.
    #[track_caller]
    pub(crate) fn echo(&mut self, text: &str) -> String {
        self.send(text);
        self.receive()
    }
}

/// What the gateway answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut answer = Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head,
            body: String::new(),
        };
        let body = &bytes[end + 4..];
        let chunked = answer.header("transfer-encoding").any(|how| how == "chunked");
        let body = if chunked { unchunked(body)? } else { body.to_vec() };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Some(answer)
    }

    /// All values of a header.
    pub(crate) fn header<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.lines().filter_map(move |line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then_some(value)
        })
    }

    /// The session cookie, as the header that sends it back.
    pub(crate) fn cookie(&self) -> Option<String> {
        let mut cookies = self.header("set-cookie");
        let cookie = cookies.find(|cookie| cookie.starts_with("offhost-session="))?;
        Some(format!("Cookie: {}\r\n", cookie.split(';').next()?))
    }

    /// All cookies, as the header that sends them back.
    pub(crate) fn cookies(&self) -> String {
        let cookies = self.header("set-cookie");
        let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        if pairs.is_empty() {
            return String::new();
        }
        format!("Cookie: {}\r\n", pairs.join("; "))
    }
}

/// What was sent in parts; none where it was cut off.
fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        bytes = &bytes[end + 2..];
        whole.extend(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}
