//! A stand-in for an API server with a controller behind it, on a port of this machine, and the program run against it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use offhost::cluster::client::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The namespace of the kubeconfig.
pub(crate) const NAMESPACE: &str = "reports";

/// What the fake knows and does.
#[derive(Default)]
pub(crate) struct World {
    /// `verb resource` that nobody may.
    pub(crate) forbidden: BTreeSet<String>,
    /// Objects by path: `pods/a`, `services/offhost-upload`.
    pub(crate) objects: BTreeMap<String, Value>,
    /// Statuses that the job gets, one a look; the last one stays. `await` in the reason holds until an upload.
    pub(crate) statuses: Vec<Value>,
    /// Output of containers: `pod/container`.
    pub(crate) logs: BTreeMap<String, String>,
    /// Answers of the upload port; 201 when there is none left.
    pub(crate) upload_answers: Vec<(u16, String)>,
    /// Digest and size of what was uploaded, and whether it was announced so.
    pub(crate) uploads: Vec<(String, u64)>,
    /// The jobs that were made.
    pub(crate) made: Vec<Value>,
    /// Names of those that were deleted.
    pub(crate) deleted: Vec<String>,
    /// Every request: method and path.
    pub(crate) requests: Vec<String>,
}

/// The fake, and a place with a kubeconfig for it.
pub(crate) struct Cluster {
    world: Arc<Mutex<World>>,
    dir: tempfile::TempDir,
    port: u16,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    /// A cluster with a Service for uploads.
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut world = World::default();
        world.objects.insert(
            "services/offhost-upload".to_owned(),
            json!({ "metadata": { "name": "offhost-upload" } }),
        );
        let world = Arc::new(Mutex::new(world));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&world));
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, app).await });
        let cluster = Self {
            world,
            dir: tempfile::Builder::new()
                .prefix("offhost-cluster-")
                .tempdir()
                .unwrap(),
            port,
            runtime,
        };
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "c", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
            "users": [{ "name": "u", "user": { "token": "secret-token" } }],
            "contexts": [{ "name": "x", "context": { "cluster": "c", "user": "u", "namespace": NAMESPACE } }],
            "current-context": "x",
        });
        cluster.file("kubeconfig", &config.to_string());
        cluster.file(
            "work/page/index.qmd",
            "---\ntitle: A page\nformat: html\n---\n\nText.\n",
        );
        cluster.file(
            "etc/offhost.gcfg",
            &format!("[Server]\nDataDir = {}\n", cluster.path("data").display()),
        );
        std::fs::create_dir(cluster.path("data")).unwrap();
        cluster
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A connection of this process's own.
    pub(crate) fn connection(&self) -> Connection {
        let server = format!("http://127.0.0.1:{}", self.port);
        let mut config = kube::Config::new(server.parse().unwrap());
        config.auth_info.token = Some("secret-token".to_owned().into());
        let _guard = self.runtime.enter();
        Connection {
            client: kube::Client::try_from(config.clone()).unwrap(),
            namespace: NAMESPACE.to_owned(),
            server,
            config,
        }
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Adds a Pod with a container `content` in this state.
    pub(crate) fn pod(&self, name: &str, phase: &str, containers: &Value, init: &Value) {
        self.world().objects.insert(
            format!("pods/{name}"),
            json!({
                "metadata": { "name": name, "namespace": NAMESPACE },
                "status": { "phase": phase, "containerStatuses": containers, "initContainerStatuses": init },
            }),
        );
    }

    /// Runs the program in the place, with the cluster's kubeconfig.
    pub(crate) fn offhost(&self, arguments: &[&str]) -> Outcome {
        self.offhost_with(&self.path("kubeconfig"), arguments)
    }

    pub(crate) fn offhost_with(&self, kubeconfig: &Path, arguments: &[&str]) -> Outcome {
        let output = Command::new(env!("CARGO_BIN_EXE_offhost"))
            .args(["--config", self.path("etc/offhost.gcfg").to_str().unwrap()])
            .args(arguments)
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.dir.path())
            .env("KUBECONFIG", kubeconfig)
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn succeeded(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed with this code, one line that begins with `error:` and has these words.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        let line = self.stderr.lines().last().unwrap_or_default();
        assert!(line.starts_with("error: "), "{self:?}");
        for word in words {
            assert!(line.contains(word), "{word} is not in: {line}");
        }
        self
    }
}

/// A status with one condition, and what else is given.
pub(crate) fn status(succeeded: &str, reason: &str, message: &str, more: &Value) -> Value {
    let mut status = json!({
        "conditions": [{
            "type": "Succeeded",
            "status": succeeded,
            "reason": reason,
            "message": message,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }],
    });
    for (name, value) in more.as_object().unwrap() {
        status[name] = value.clone();
    }
    status
}

async fn answer(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let announced = parts
        .headers
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if parts
        .headers
        .get("authorization")
        .is_none_or(|token| token != "Bearer secret-token")
    {
        return failure(401, "Unauthorized");
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut world = world.lock().unwrap();
    world.requests.push(format!("{} {path}", parts.method));
    let namespaced = format!("/namespaces/{NAMESPACE}/");
    let Some((_, rest)) = path.split_once(&namespaced) else {
        return world.review(&path, &body);
    };
    if rest == "localsubjectaccessreviews" {
        let mut review: Value = serde_json::from_slice(&body).unwrap();
        // These accounts have what the caller has not.
        let known =
            ["offhost", "offhost-gateway"].map(|name| format!("system:serviceaccount:reports:{name}"));
        let user = review["spec"]["user"].as_str().unwrap_or_default();
        review["status"] = json!({ "allowed": known.iter().any(|known| known == user) });
        return json_answer(&review);
    }
    let words: Vec<&str> = rest.split('/').collect();
    match (&parts.method, &words[..]) {
        (&Method::PUT, ["services", service, "proxy", "v1", "uploads", digest]) => {
            world.upload(service, digest, announced, &body)
        }
        (method, ["contentjobs", name @ ..]) => world.job(method, name, &body, &query),
        (&Method::GET, ["pods", pod, "log"]) => world.log(pod, &query),
        (&Method::GET, [kind]) => world.list(kind, &query),
        (&Method::GET, [kind, name]) => world.get(kind, name),
        (&Method::POST, [kind]) => world.dry_run(kind, &body),
        _ => failure(404, "404 page not found"),
    }
}

impl World {
    fn may(&self, verb: &str, resource: &str) -> Result<(), Box<Response>> {
        if !self.forbidden.contains(&format!("{verb} {resource}")) {
            return Ok(());
        }
        let said = format!(
            "{resource} is forbidden: User \"u\" cannot {verb} resource \"{resource}\" in the namespace \"{NAMESPACE}\""
        );
        Err(Box::new(failure(403, &said)))
    }

    fn review(&self, path: &str, body: &[u8]) -> Response {
        if path == "/version" {
            return json_answer(
                &json!({ "major": "1", "minor": "33", "gitVersion": "v1.33.4", "gitCommit": "",
                "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": "" }),
            );
        }
        if path.ends_with("/selfsubjectreviews") {
            return json_answer(
                &json!({ "metadata": {}, "status": { "userInfo": { "username": "somebody" } } }),
            );
        }
        if path == "/apis/offhost.dev/v1alpha1"
            && self.objects.contains_key("cluster/contentjobs.offhost.dev")
        {
            return json_answer(
                &json!({ "resources": [{ "name": "contentjobs" }, { "name": "contentapps" }] }),
            );
        }
        if path.contains("customresourcedefinitions")
            && let Err(refusal) = self.may("get", "customresourcedefinitions")
        {
            return *refusal;
        }
        if path.ends_with("/selfsubjectaccessreviews") {
            let mut review: Value = serde_json::from_slice(body).unwrap();
            let asked = &review["spec"]["resourceAttributes"];
            let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
            let subresource = Some(text("subresource")).filter(|name| !name.is_empty());
            let resource =
                subresource.map_or_else(|| text("resource"), |name| format!("{}/{name}", text("resource")));
            let allowed = !self.forbidden.contains(&format!("{} {resource}", text("verb")));
            review["status"] = json!({ "allowed": allowed });
            return json_answer(&review);
        }
        let Some((_, name)) = path.rsplit_once('/') else {
            return failure(404, "404 page not found");
        };
        self.objects
            .get(&format!("cluster/{name}"))
            .map_or_else(|| failure(404, &format!("{name} not found")), json_answer)
    }

    fn upload(&mut self, service: &str, digest: &str, announced: Option<u64>, body: &[u8]) -> Response {
        assert_eq!(service, "offhost-upload:8081");
        assert_eq!(announced, Some(body.len() as u64), "the size is announced");
        if !self.upload_answers.is_empty() {
            let (code, said) = self.upload_answers.remove(0);
            return (StatusCode::from_u16(code).unwrap(), said).into_response();
        }
        let found: String = Sha256::digest(body)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found, digest);
        self.uploads.push((found, body.len() as u64));
        StatusCode::CREATED.into_response()
    }

    fn job(&mut self, method: &Method, name: &[&str], body: &[u8], query: &str) -> Response {
        let verb = match *method {
            Method::POST => "create",
            Method::DELETE => "delete",
            _ => "get",
        };
        if let Err(refusal) = self.may(verb, "contentjobs") {
            return *refusal;
        }
        match (method, name) {
            (&Method::POST, []) if query.contains("dryRun=All") => self.dry_run("contentjobs", body),
            (&Method::POST, []) => {
                assert!(query.contains("fieldValidation=Strict"), "{query}");
                let job: Value = serde_json::from_slice(body).unwrap();
                self.made.push(job.clone());
                json_answer(&job)
            }
            (&Method::DELETE, [name]) => {
                self.deleted.push((*name).to_owned());
                json_answer(&json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
            }
            (_, [name]) if *name != "missing" => {
                let status = self.next_status();
                json_answer(&json!({
                    "apiVersion": "offhost.dev/v1alpha1",
                    "kind": "ContentJob",
                    "metadata": { "name": name, "namespace": NAMESPACE },
                    "spec": { "content": "page", "aFieldOfLater": true },
                    "status": status,
                }))
            }
            _ => failure(
                404,
                &format!("contentjobs.offhost.dev \"{}\" not found", name.join("/")),
            ),
        }
    }

    fn next_status(&mut self) -> Value {
        let Some(status) = self.statuses.first().cloned() else {
            return json!({});
        };
        let waits = status["conditions"][0]["reason"] == "AwaitingUpload" && self.uploads.is_empty();
        if self.statuses.len() > 1 && !waits {
            self.statuses.remove(0);
        }
        status
    }

    fn log(&self, pod: &str, query: &str) -> Response {
        if let Err(refusal) = self.may("get", "pods/log") {
            return *refusal;
        }
        let container = query
            .split('&')
            .find_map(|part| part.strip_prefix("container="))
            .unwrap_or_default();
        match self.logs.get(&format!("{pod}/{container}")) {
            Some(text) => Body::from(text.clone()).into_response(),
            None => failure(
                400,
                &format!("container \"{container}\" in pod \"{pod}\" is waiting to start"),
            ),
        }
    }

    /// Objects without labels have those that are asked for.
    fn list(&self, kind: &str, query: &str) -> Response {
        if let Err(refusal) = self.may("list", kind) {
            return *refusal;
        }
        let prefix = format!("{kind}/");
        let query = query.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",");
        let selector = query
            .split('&')
            .find_map(|part| part.strip_prefix("labelSelector="));
        let fits = |object: &Value| {
            let Some(labels) = object["metadata"]["labels"].as_object() else {
                return true;
            };
            let mut pairs = selector
                .unwrap_or_default()
                .split(',')
                .filter_map(|pair| pair.split_once('='));
            pairs.all(|(key, value)| labels.get(key).is_some_and(|found| found == value))
        };
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, object)| object)
            .filter(|object| fits(object))
            .collect();
        json_answer(&json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items }))
    }

    fn get(&self, kind: &str, name: &str) -> Response {
        if let Err(refusal) = self.may("get", kind) {
            return *refusal;
        }
        let found = self.objects.get(&format!("{kind}/{name}"));
        found.map_or_else(
            || failure(404, &format!("{kind} \"{name}\" not found")),
            json_answer,
        )
    }

    /// What is made on trial: refused where an object `refuse/KIND` says why.
    fn dry_run(&self, kind: &str, body: &[u8]) -> Response {
        if let Err(refusal) = self.may("create", kind) {
            return *refusal;
        }
        if let Some(said) = self.objects.get(&format!("refuse/{kind}")) {
            return failure(403, said.as_str().unwrap());
        }
        let mut object: Value = serde_json::from_slice(body).unwrap();
        let is_open = object["spec"]["containers"][0]["securityContext"].is_null();
        if kind == "pods" && is_open && self.objects.contains_key("restricted/pods") {
            return failure(
                403,
                "pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\"",
            );
        }
        if self.objects.contains_key("older/pods") {
            // What an older API server does with fields that it does not know.
            object["spec"].as_object_mut().unwrap().remove("hostUsers");
            for volume in object["spec"]["volumes"].as_array_mut().into_iter().flatten() {
                volume.as_object_mut().unwrap().remove("image");
            }
        }
        json_answer(&object)
    }
}

fn json_answer(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

fn failure(code: u16, message: &str) -> Response {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
        "reason": if code == 404 { "NotFound" } else { "" }, "code": code });
    (
        StatusCode::from_u16(code).unwrap(),
        [("content-type", "application/json")],
        status.to_string(),
    )
        .into_response()
}
