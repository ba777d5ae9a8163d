//! A Chromium without a window, and pages in it, spoken to over its DevTools protocol.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// The browser; ends with this value.
#[derive(Debug)]
pub(crate) struct Chromium {
    child: Child,
    address: String,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--remote-debugging-port=0",
                "--remote-allow-origins=*",
                "--no-proxy-server",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the package chromium is installed");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("it says where it listens");
        // It must not stop because nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            _profile: profile,
        }
    }

    /// A new page with nothing in common with others, of this width.
    pub(crate) async fn page(&self, width: u32) -> Page {
        let (socket, _) = tokio_tungstenite::connect_async(&self.address).await.unwrap();
        let mut page = Page {
            socket,
            session: None,
            number: 0,
            errors: Vec::new(),
        };
        let context = page.call("Target.createBrowserContext", json!({})).await;
        let target = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
        let target = page.call("Target.createTarget", target).await;
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = page.call("Target.attachToTarget", target).await;
        page.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            page.call(domain, json!({})).await;
        }
        let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
        page.call("Emulation.setDeviceMetricsOverride", metrics).await;
        page
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the browser answers where a page was left before it could say anything.
const SERVER_ERROR: i32 = -32000;

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    number: u64,
    /// What the console has shown as an error, but for the status of an answer.
    errors: Vec<String>,
}

impl Page {
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        match self.ask(method, params).await {
            Ok(result) => result,
            Err(error) => panic!("{method}: {error}"),
        }
    }

    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.number += 1;
        let mut call = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(call.to_string())).await.unwrap();
        loop {
            let message = tokio::time::timeout(Duration::from_secs(30), self.socket.next()).await;
            let message = message.expect("the browser answers").unwrap().unwrap();
            let Message::Text(text) = message else { continue };
            let said: Value = serde_json::from_str(&text).unwrap();
            if said["id"] == json!(self.number) {
                let error = &said["error"];
                return if error.is_null() {
                    Ok(said["result"].clone())
                } else {
                    Err(error.clone())
                };
            }
            self.note(&said);
        }
    }

    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let entry = &params["entry"];
        let is_error = match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => true,
            "Runtime.consoleAPICalled" => params["type"] == "error",
            "Log.entryAdded" => entry["level"] == "error" && entry["source"] != "network",
            _ => false,
        };
        if is_error {
            self.errors.push(params.to_string());
        }
    }

    pub(crate) async fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({ "url": address })).await;
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
            .await;
    }

    pub(crate) async fn value(&mut self, expression: &str) -> Value {
        self.call("Runtime.evaluate", evaluation(expression)).await["result"]["value"].clone()
    }

    /// The value, if the page does not go away under the question.
    async fn value_of_now(&mut self, expression: &str) -> Option<Value> {
        match self.ask("Runtime.evaluate", evaluation(expression)).await {
            Ok(answer) => Some(answer["result"]["value"].clone()),
            Err(error) if error["code"] == json!(SERVER_ERROR) => None,
            Err(error) => panic!("Runtime.evaluate: {error}"),
        }
    }

    pub(crate) async fn text(&mut self, expression: &str) -> String {
        self.value(expression)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until an expression is true; says how long it took.
    pub(crate) async fn until(&mut self, expression: &str) -> Duration {
        let begun = Instant::now();
        while self.value_of_now(expression).await != Some(json!(true)) {
            if begun.elapsed() > Duration::from_secs(20) {
                let shown = self.value_of_now("document.documentElement.innerText").await;
                panic!("never: {expression}; shown: {shown:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begun.elapsed()
    }

    /// Looks as with these preferences, `(prefers-color-scheme, dark)` for instance.
    pub(crate) async fn prefer(&mut self, features: &[(&str, &str)]) {
        let features: Vec<Value> = features
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }))
            .await;
    }

    pub(crate) async fn without_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }))
            .await;
    }

    pub(crate) async fn press(&mut self, key: &str, code: u32) {
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Errors of the console since the last call.
    pub(crate) async fn errors(&mut self) -> Vec<String> {
        // What was said before the answer to this has come by then.
        self.value("1").await;
        std::mem::take(&mut self.errors)
    }

    /// Writes a picture where `OFFHOST_TEST_SCREENSHOTS` names a directory.
    pub(crate) async fn picture(&mut self, name: &str) {
        self.picture_of(name, json!({ "format": "png" })).await;
    }

    /// The same of all of the page, however far it would have to be scrolled.
    pub(crate) async fn whole_picture(&mut self, name: &str) {
        self.picture_of(name, json!({ "format": "png", "captureBeyondViewport": true }))
            .await;
    }

    async fn picture_of(&mut self, name: &str, how: Value) {
        let Some(directory) = std::env::var_os("OFFHOST_TEST_SCREENSHOTS") else {
            return;
        };
        let picture = self.call("Page.captureScreenshot", how).await;
        let picture = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let path = std::path::Path::new(&directory).join(format!("{name}.png"));
        std::fs::write(path, picture).unwrap();
    }
}

fn evaluation(expression: &str) -> Value {
    json!({ "expression": expression, "returnByValue": true, "awaitPromise": true })
}
