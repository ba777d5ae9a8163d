//! Sends an archive to the controller, through the API server's proxy and with the caller's own credentials: nobody
//! needs another way into the cluster, and nobody another password.

use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures::{Stream, StreamExt, stream};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{ListParams, PostParams};
use kube::client::ConfigExt;
use tower::util::option_layer;
use tower::{BoxError, Layer, ServiceExt};

use super::client::Connection;
use super::error::{ClusterError, innermost};
use super::pack::Packed;
use super::wait::Teller;
use crate::names::UPLOAD_PORT;

/// Label of the Service that takes uploads.
const SELECTOR: &str = "app.kubernetes.io/component=upload,app.kubernetes.io/part-of=offhost";
/// Its name where Services may not be listed: that of a release called `offhost`.
const USUAL: &str = "offhost-upload";
/// Bytes read from the archive at once.
const CHUNK: usize = 256 * 1024;
/// How long an archive is offered again: the controller may just be starting, or another replica take over.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);
/// Of an answer that is no success, this much is read.
const MOST_SAID: usize = 64 * 1024;

/// The Service that takes uploads.
///
/// # Errors
/// There is none, or more than one.
pub async fn service(connection: &Connection, given: Option<&str>) -> Result<String, ClusterError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let namespace = &connection.namespace;
    let services: Api<Service> = Api::namespaced(connection.client.clone(), namespace);
    let found = match services.list(&ListParams::default().labels(SELECTOR)).await {
        Ok(found) => found,
        Err(kube::Error::Api(status)) if status.code == 403 => return Ok(USUAL.to_owned()),
        Err(error) => return Err(ClusterError::of("list", "services", namespace, error)),
    };
    let mut names: Vec<String> = found
        .items
        .into_iter()
        .filter_map(|service| service.metadata.name)
        .collect();
    names.sort();
    match (names.pop(), names.is_empty()) {
        (Some(name), true) => Ok(name),
        (Some(name), false) => Err(ClusterError::NoService {
            problem: format!(
                "several Services in namespace '{namespace}' take uploads ({}, {name})",
                names.join(", ")
            ),
        }),
        (None, _) => Err(ClusterError::NoService {
            problem: format!(
                "no Service in namespace '{namespace}' takes uploads, so offhost is not installed there"
            ),
        }),
    }
}

/// Whether the caller may send something to that Service. Asked beforehand: whoever is refused while sending may see
/// no answer, but a connection that is cut.
///
/// # Errors
/// The permission is missing.
pub async fn check_permission(connection: &Connection, service: &str) -> Result<(), ClusterError> {
    let namespace = &connection.namespace;
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.clone()),
                verb: Some("update".to_owned()),
                resource: Some("services".to_owned()),
                subresource: Some("proxy".to_owned()),
                name: Some(target(service)),
                ..ResourceAttributes::default()
            }),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(connection.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await;
    // Where nobody may ask, sending will tell.
    let Ok(answer) = answer else { return Ok(()) };
    match answer.status {
        Some(status) if !status.allowed => Err(ClusterError::Forbidden {
            said: "you may not send content to this cluster".to_owned(),
            verb: "update",
            resource: format!("services/proxy '{}'", target(service)),
            namespace: namespace.clone(),
        }),
        _ => Ok(()),
    }
}

/// The name that the proxy and its permissions know the Service by.
pub(super) fn target(service: &str) -> String {
    format!("{service}:{UPLOAD_PORT}")
}

/// Sends the archive. The same archive again is taken as well.
///
/// # Errors
/// It was not taken.
pub async fn send(
    connection: &Connection,
    service: &str,
    packed: &Packed,
    teller: &dyn Teller,
) -> Result<(), ClusterError> {
    let began = Instant::now();
    loop {
        let answer = offer(connection, service, packed, teller).await?;
        let said = match answer {
            Answer::Taken => return Ok(()),
            Answer::Refused(said) => return Err(ClusterError::Upload { said }),
            Answer::NotNow(said) => said,
        };
        if began.elapsed() > PATIENCE {
            return Err(ClusterError::Upload { said });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

enum Answer {
    Taken,
    Refused(String),
    /// Nobody was there to take it.
    NotNow(String),
}

async fn offer(
    connection: &Connection,
    service: &str,
    packed: &Packed,
    teller: &dyn Teller,
) -> Result<Answer, ClusterError> {
    let path = format!(
        "/api/v1/namespaces/{}/services/{}/proxy/v1/uploads/{}",
        connection.namespace,
        target(service),
        packed.sha256
    );
    let mut file = packed.file.try_clone().map_err(ClusterError::Archive)?;
    file.rewind().map_err(ClusterError::Archive)?;
    let (body, mut sent) = body(file);
    let request = Request::builder()
        .method(Method::PUT)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/gzip")
        .header(header::CONTENT_LENGTH, packed.bytes)
        .body(body)
        .map_err(|error| ClusterError::Upload {
            said: error.to_string(),
        })?;
    let unusable = |error: kube::Error| ClusterError::Unreachable {
        cause: innermost(&error),
    };
    let config = &connection.config;
    let https = config.rustls_https_connector().map_err(unusable)?;
    let client: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(https);
    let client = client.map_err(BoxError::from);
    let authorised = option_layer(config.auth_layer().map_err(unusable)?).layer(client);
    let impersonating = config.extra_headers_layer().map_err(unusable)?.layer(authorised);
    let service = config.base_uri_layer().layer(impersonating);
    let answer = service.oneshot(request);
    tokio::pin!(answer);
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer,
            Some(bytes) = sent.recv() => teller.sent(bytes, packed.bytes),
        }
    };
    match answer {
        Ok(answer) => {
            let (parts, body) = answer.into_parts();
            let said = to_bytes(Body::new(body), MOST_SAID).await.unwrap_or_default();
            Ok(meaning(parts.status, &said, &connection.namespace))
        }
        Err(error) => Ok(Answer::NotNow(format!(
            "the connection was cut: {}; try again",
            innermost(error.as_ref())
        ))),
    }
}

/// The bytes of the archive, and how many of them have gone. Read by a thread: files know no waiting.
fn body(mut file: File) -> (Body, tokio::sync::mpsc::UnboundedReceiver<u64>) {
    let (chunks, received) = tokio::sync::mpsc::channel(4);
    let (count, sent) = tokio::sync::mpsc::unbounded_channel();
    tokio::task::spawn_blocking(move || {
        let mut done = 0;
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = file.read(&mut chunk);
            let length = *read.as_ref().unwrap_or(&0);
            let is_over = length == 0;
            if is_over && read.is_ok() {
                return;
            }
            chunk.truncate(length);
            // Nobody listens any more where the answer has come already.
            if chunks.blocking_send(read.map(|_| Bytes::from(chunk))).is_err() || is_over {
                return;
            }
            done += length as u64;
            let _ = count.send(done);
        }
    });
    (Body::from_stream(stream_of(received)), sent)
}

fn stream_of(
    received: tokio::sync::mpsc::Receiver<std::io::Result<Bytes>>,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(received, |mut received| async move {
        let chunk = received.recv().await?;
        Some((chunk, received))
    })
    .fuse()
}

/// What an answer means. The API server's own are objects, the controller's a sentence.
fn meaning(status: StatusCode, said: &[u8], namespace: &str) -> Answer {
    if status.is_success() {
        return Answer::Taken;
    }
    let text = String::from_utf8_lossy(said);
    let message = serde_json::from_slice::<serde_json::Value>(said)
        .ok()
        .and_then(|answer| answer["message"].as_str().map(str::to_owned))
        .unwrap_or_else(|| text.lines().next().unwrap_or_default().trim().to_owned());
    let message = if message.is_empty() {
        format!("the answer was {status}")
    } else {
        message
    };
    match status {
        StatusCode::NOT_FOUND
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Answer::NotNow(format!(
            "{message}; see whether offhost runs in namespace '{namespace}', and try again"
        )),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Answer::Refused(format!(
            "{message}; ask an administrator for the permission to update services/proxy in namespace '{namespace}'"
        )),
        StatusCode::PAYLOAD_TOO_LARGE => Answer::Refused(format!(
            "{message}; leave out what the content does not need, or raise the limit on the way to the cluster"
        )),
        _ => Answer::Refused(message),
    }
}
