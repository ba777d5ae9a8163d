//! An API server in memory, for jobs, Pods and Leases: versions, preconditions, finalizers, subresources, watches, and
//! faults on demand. What it does is what kube-apiserver does with the calls of the controller, and no more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use futures::StreamExt;
use http::{Method, Request, Response};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Namespace of everything.
pub(super) const NAMESPACE: &str = "content";

/// One call: `create pods x`, `update contentjobs/status y`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call(pub String);

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing: it is answered.
    None,
    /// It is refused with this code and message, and nothing is done.
    Refused(u16, &'static str),
    /// It is done, and its answer is lost.
    Lost,
    /// It is never answered, and nothing is done.
    Silent,
}

type Faults = Box<dyn FnMut(usize, &Call) -> Fault + Send>;

/// The server; clones share it.
#[derive(Clone)]
pub(super) struct FakeApi(Arc<Mutex<State>>);

struct State {
    version: u64,
    objects: BTreeMap<(String, String), Value>,
    calls: Vec<Call>,
    faults: Faults,
    watchers: Vec<(String, mpsc::UnboundedSender<String>)>,
    /// What watches were told, by version.
    history: Vec<(u64, String, String)>,
    is_down: bool,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

type Answer = Result<Value, Value>;

impl FakeApi {
    /// An empty server.
    pub(super) fn new(clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self(Arc::new(Mutex::new(State {
            version: 100,
            objects: BTreeMap::new(),
            calls: Vec::new(),
            faults: Box::new(|_, _| Fault::None),
            watchers: Vec::new(),
            history: Vec::new(),
            is_down: false,
            clock,
        })))
    }

    /// A client of it.
    pub(super) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let api = api.clone();
            async move { Ok::<_, std::convert::Infallible>(api.answer(request.map(Body::new)).await) }
        });
        Client::new(service, NAMESPACE)
    }

    /// Decides about every call from now on, counted from 0.
    pub(super) fn faults(&self, faults: impl FnMut(usize, &Call) -> Fault + Send + 'static) {
        let mut state = self.lock();
        state.calls.clear();
        state.faults = Box::new(faults);
    }

    /// The calls since the last [`Self::faults`], lists and events left out.
    pub(super) fn calls(&self) -> Vec<String> {
        self.lock().calls.iter().map(|call| call.0.clone()).collect()
    }

    /// All objects of a resource.
    pub(super) fn all(&self, resource: &str) -> Vec<Value> {
        let state = self.lock();
        let of = state.objects.iter().filter(|((kind, _), _)| kind == resource);
        of.map(|(_, object)| object.clone()).collect()
    }

    /// One object.
    pub(super) fn get(&self, resource: &str, name: &str) -> Option<Value> {
        let key = (resource.to_owned(), name.to_owned());
        self.lock().objects.get(&key).cloned()
    }

    /// Somebody else makes an object.
    pub(super) fn put(&self, resource: &str, object: Value) {
        let made = self.lock().create(resource, object);
        assert!(made.is_ok(), "{made:?}");
    }

    /// Somebody else changes an object.
    pub(super) fn edit(&self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.lock();
        let key = (resource.to_owned(), name.to_owned());
        let mut object = state.objects.get(&key).cloned().expect("the object is there");
        change(&mut object);
        state.store(resource, name, object);
    }

    /// Somebody else deletes an object.
    pub(super) fn delete(&self, resource: &str, name: &str) {
        let deleted = self.lock().delete(resource, name, &json!({}));
        assert!(deleted.is_ok(), "{deleted:?}");
    }

    /// The node says that a deleted Pod has ended: it goes as soon as nothing holds it.
    pub(super) fn confirm(&self, name: &str) {
        let mut state = self.lock();
        state.go_if_free("pods", name);
    }

    /// The server goes away, or comes back.
    pub(super) fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
        self.cut_watches(None);
    }

    /// Cuts every watch off, after this line where one is given.
    pub(super) fn cut_watches(&self, last_words: Option<&str>) {
        for (_, watcher) in self.lock().watchers.drain(..) {
            if let Some(words) = last_words {
                let _ = watcher.send(format!("{words}\n"));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Serves it on a port of this machine; gives the port.
    pub(super) async fn serve(&self) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let api = self.clone();
        let routes = axum::Router::new().fallback(move |request: Request<Body>| {
            let api = api.clone();
            async move { api.answer(request).await }
        });
        tokio::spawn(async { axum::serve(listener, routes).await });
        port
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let target = Target::of(&parts.method, &parts.uri);
        if self.lock().is_down {
            return Response::builder()
                .status(503)
                .body(Body::from("no endpoints"))
                .unwrap();
        }
        if target.is_watch {
            return self.watch(&target);
        }
        let call = Call(target.call());
        let fault = {
            let mut state = self.lock();
            let number = state.calls.len();
            let is_list = target.name.is_none() && parts.method == Method::GET;
            if is_list || target.resource.starts_with("events") {
                Fault::None
            } else {
                state.calls.push(call.clone());
                (state.faults)(number, &call)
            }
        };
        let answer = match fault {
            Fault::None => self.lock().carry_out(&parts.method, &target, &body),
            Fault::Lost => {
                let _ = self.lock().carry_out(&parts.method, &target, &body);
                Err(status(500, "InternalError", "the answer was lost"))
            }
            Fault::Refused(code, message) => Err(status(code, reason(code), message)),
            Fault::Silent => std::future::pending().await,
        };
        let (code, value) = match answer {
            Ok(value) => (200, value),
            Err(value) => (value["code"].as_u64().unwrap_or(500), value),
        };
        Response::builder()
            .status(u16::try_from(code).unwrap())
            .body(Body::from(value.to_string()))
            .unwrap()
    }

    /// Tells what came after a version, and what comes.
    fn watch(&self, target: &Target) -> Response<Body> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.lock();
        let missed = state.history.iter().filter(|(version, resource, _)| {
            *resource == target.resource && target.version.is_none_or(|since| *version > since)
        });
        for (_, _, line) in missed {
            sender.send(line.clone()).unwrap();
        }
        state.watchers.push((target.resource.clone(), sender));
        drop(state);
        let lines = stream_of(receiver).map(Ok::<_, std::convert::Infallible>);
        Response::new(Body::from_stream(lines))
    }
}

/// What a request is about.
#[derive(Debug)]
struct Target {
    verb: &'static str,
    resource: String,
    name: Option<String>,
    subresource: Option<String>,
    is_watch: bool,
    is_dry_run: bool,
    version: Option<u64>,
    labels: Vec<(String, String)>,
}

impl Target {
    fn of(method: &Method, uri: &http::Uri) -> Self {
        let path = uri.path();
        let (_, rest) = path.split_once("/namespaces/").expect("everything is namespaced");
        let mut parts = rest.split('/').skip(1).map(str::to_owned);
        let resource = match parts.next().expect("a path names a resource") {
            // Two forms of one thing; nobody here reads in one what was written in the other.
            events if path.contains("/events.k8s.io/") => format!("{events}.events.k8s.io"),
            resource => resource,
        };
        let query = uri
            .query()
            .unwrap_or_default()
            .replace("%3D", "=")
            .replace("%2C", ",")
            .replace("%2F", "/");
        let field = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .into_iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        let labels = field("labelSelector").unwrap_or_default();
        let labels = labels.split(',').filter_map(|pair| pair.split_once('='));
        Self {
            verb: match *method {
                Method::GET => "get",
                Method::POST => "create",
                Method::PUT => "update",
                Method::PATCH => "patch",
                _ => "delete",
            },
            resource,
            name: parts.next(),
            subresource: parts.next(),
            is_watch: field("watch").is_some(),
            is_dry_run: field("dryRun").is_some(),
            version: field("resourceVersion").and_then(|version| version.parse().ok()),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    fn call(&self) -> String {
        let sub = self
            .subresource
            .as_ref()
            .map(|sub| format!("/{sub}"))
            .unwrap_or_default();
        let name = self
            .name
            .as_ref()
            .map(|name| format!(" {name}"))
            .unwrap_or_default();
        format!("{} {}{sub}{name}", self.verb, self.resource)
    }
}

impl State {
    fn carry_out(&mut self, method: &Method, target: &Target, body: &Value) -> Answer {
        let resource = target.resource.as_str();
        let name = target.name.as_deref();
        match (method, name) {
            (&Method::GET, None) => Ok(self.list(target)),
            (&Method::GET, Some(name)) => self.find(resource, name),
            (&Method::POST, _) if target.is_dry_run => Ok(body.clone()),
            (&Method::POST, _) => self.create(resource, body.clone()),
            (&Method::PUT, Some(name)) => self.replace(target, name, body),
            (&Method::PATCH, Some(name)) => self.patch(resource, name, body),
            (&Method::DELETE, Some(name)) => self.delete(resource, name, body),
            _ => Err(status(405, "MethodNotAllowed", "not here")),
        }
    }

    fn list(&self, target: &Target) -> Value {
        let fits = |object: &Value| {
            let labels = &object["metadata"]["labels"];
            target.labels.iter().all(|(key, value)| labels[key] == **value)
        };
        let of = self
            .objects
            .iter()
            .filter(|((kind, _), _)| *kind == target.resource);
        let items: Vec<&Value> = of
            .map(|(_, object)| object)
            .filter(|object| fits(object))
            .collect();
        json!({"kind": "List", "metadata": {"resourceVersion": self.version.to_string()}, "items": items})
    }

    fn find(&self, resource: &str, name: &str) -> Answer {
        let key = (resource.to_owned(), name.to_owned());
        let missing = || status(404, "NotFound", &format!("{resource} \"{name}\" not found"));
        self.objects.get(&key).cloned().ok_or_else(missing)
    }

    fn create(&mut self, resource: &str, mut object: Value) -> Answer {
        fill_in(resource, &mut object);
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        if self.find(resource, &name).is_ok() {
            return Err(status(409, "AlreadyExists", "there is one"));
        }
        let uid = format!("{:08}-0000-4000-8000-000000000000", self.version);
        object["metadata"]["uid"] = json!(uid);
        object["metadata"]["namespace"] = json!(NAMESPACE);
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!(self.now());
        if matches!(resource, "contentjobs" | "contentapps") {
            object.as_object_mut().unwrap().remove("status");
        }
        if resource == "pods" {
            object["status"] = json!({"phase": "Pending"});
        }
        Ok(self.store(resource, &name, object))
    }

    fn replace(&mut self, target: &Target, name: &str, body: &Value) -> Answer {
        let mut object = self.find(&target.resource, name)?;
        self.hold(&object, &body["metadata"])?;
        if target.subresource.as_deref() == Some("status") {
            object["status"] = body["status"].clone();
        } else {
            object["spec"] = body["spec"].clone();
        }
        Ok(self.store(&target.resource, name, object))
    }

    fn patch(&mut self, resource: &str, name: &str, body: &Value) -> Answer {
        let mut object = self.find(resource, name)?;
        let meta = &body["metadata"];
        self.hold(&object, meta)?;
        if let Some(wanted) = meta["finalizers"].as_array() {
            let known = object["metadata"]["finalizers"].as_array().map_or(0, Vec::len);
            if wanted.len() > known && !object["metadata"]["deletionTimestamp"].is_null() {
                return Err(status(422, "Invalid", "no new finalizers can be added"));
            }
            object["metadata"]["finalizers"] = json!(wanted);
        }
        if let Some(off) = meta["$deleteFromPrimitiveList/finalizers"].as_array()
            && let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut()
        {
            finalizers.retain(|name| !off.contains(name));
        }
        let stored = self.store(resource, name, object);
        self.go_if_free(resource, name);
        Ok(stored)
    }

    fn delete(&mut self, resource: &str, name: &str, options: &Value) -> Answer {
        let mut object = self.find(resource, name)?;
        self.hold(&object, &options["preconditions"])?;
        let runs = resource == "pods" && object["spec"]["nodeName"].is_string() && !has_ended(&object);
        let grace = options["gracePeriodSeconds"]
            .as_i64()
            .unwrap_or(if runs { 30 } else { 0 });
        if object["metadata"]["deletionTimestamp"].is_null() || grace == 0 {
            let at = (self.clock)()
                .checked_add(jiff::SignedDuration::from_secs(grace))
                .unwrap();
            object["metadata"]["deletionTimestamp"] = json!(whole(at));
            object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            self.store(resource, name, object.clone());
        }
        if !runs || grace == 0 {
            self.go_if_free(resource, name);
        }
        Ok(object)
    }

    /// Removes what is being deleted and held by nothing, and then what it owned.
    fn go_if_free(&mut self, resource: &str, name: &str) {
        let Ok(object) = self.find(resource, name) else {
            return;
        };
        let held = object["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|held| !held.is_empty());
        let runs = resource == "pods"
            && object["spec"]["nodeName"].is_string()
            && !has_ended(&object)
            && object["metadata"]["deletionGracePeriodSeconds"] != json!(0);
        if object["metadata"]["deletionTimestamp"].is_null() || held || runs {
            return;
        }
        self.objects.remove(&(resource.to_owned(), name.to_owned()));
        self.version += 1;
        let mut gone = object.clone();
        gone["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.tell(resource, "DELETED", &gone);
        let owned: Vec<(String, String)> = self
            .objects
            .iter()
            .filter(|(_, owned)| owned["metadata"]["ownerReferences"][0]["uid"] == object["metadata"]["uid"])
            .map(|(key, _)| key.clone())
            .collect();
        for (kind, name) in owned {
            let _ = self.delete(&kind, &name, &json!({}));
        }
    }

    fn hold(&self, object: &Value, expected: &Value) -> Result<(), Value> {
        let differs =
            |field: &str| !expected[field].is_null() && expected[field] != object["metadata"][field];
        if differs("resourceVersion") || differs("uid") {
            return Err(status(409, "Conflict", "the object has been modified"));
        }
        Ok(())
    }

    fn store(&mut self, resource: &str, name: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let before = self
            .objects
            .insert((resource.to_owned(), name.to_owned()), object.clone());
        self.tell(
            resource,
            if before.is_some() { "MODIFIED" } else { "ADDED" },
            &object,
        );
        object
    }

    fn tell(&mut self, resource: &str, kind: &str, object: &Value) {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        self.history
            .push((self.version, resource.to_owned(), line.clone()));
        self.watchers
            .retain(|(of, watcher)| of != resource || watcher.send(line.clone()).is_ok());
    }

    fn now(&self) -> String {
        whole((self.clock)())
    }
}

/// A time as the API server writes it.
fn whole(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap().to_string()
}

/// What the definition of jobs has defaults for.
fn fill_in(resource: &str, object: &mut Value) {
    let Some(spec) = object.get_mut("spec").filter(|_| resource == "contentjobs") else {
        return;
    };
    for (name, value) in [
        ("activation", json!("OnSuccess")),
        ("retries", json!(0)),
        ("startDeadlineSeconds", json!(3600)),
        ("suspended", json!(false)),
    ] {
        if spec.get(name).is_none() {
            spec[name] = value;
        }
    }
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        _ => "InternalError",
    }
}

/// A failure as the API server tells it.
pub(super) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}

/// Lines as a stream.
fn stream_of(receiver: mpsc::UnboundedReceiver<String>) -> impl futures::Stream<Item = String> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        Some((line, receiver))
    })
}
