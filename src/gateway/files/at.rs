//! Files at the address of an application.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{CACHE_CONTROL, LINK, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode};

use super::{Ask, FileServer, FilesRoute};
use crate::gateway::body::Body;
use crate::gateway::form::{Desk, PARAMETERS};
use crate::gateway::pages::Place;
use crate::gateway::route::Files;

/// What one application serves, and where.
#[derive(Debug)]
pub struct FilesAt {
    server: Arc<FileServer>,
    source: Arc<FilesRoute>,
    name: String,
    path: String,
    desk: Option<Arc<dyn Desk>>,
}

impl FilesAt {
    /// Serves `source` for the application of this name at this path, which has no slash at its end.
    #[must_use]
    pub fn new(server: Arc<FileServer>, source: FilesRoute, name: String, path: String) -> Self {
        let source = Arc::new(source);
        Self {
            server,
            source,
            name,
            path,
            desk: None,
        }
    }

    /// The same with a form that asks for the document's parameters.
    #[must_use]
    pub fn with_desk(self, desk: Option<Arc<dyn Desk>>) -> Self {
        Self { desk, ..self }
    }

    /// Tells programs where the form is; people who come before there is a result are sent there.
    async fn with_form(&self, below: &str, mut answer: Response<Body>) -> Response<Body> {
        let form = format!("{}{PARAMETERS}", self.path);
        if answer.status() == StatusCode::NOT_FOUND && below == "/" {
            let source = self.source.clone();
            let is_there = tokio::task::spawn_blocking(move || source.is_there()).await;
            if is_there.is_ok_and(|is_there| !is_there) {
                *answer.body_mut() = Body::empty();
                *answer.status_mut() = StatusCode::FOUND;
                answer.headers_mut().clear();
                answer
                    .headers_mut()
                    .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                if let Ok(form) = HeaderValue::from_str(&form) {
                    answer.headers_mut().insert(LOCATION, form);
                }
                return answer;
            }
        }
        if let Ok(link) = HeaderValue::from_str(&format!("<{form}>; rel=\"create-form\"")) {
            answer.headers_mut().append(LINK, link);
        }
        answer
    }
}

impl Files for FilesAt {
    fn answer(&self, request: Request<()>) -> BoxFuture<'_, Response<Body>> {
        async move {
            let ask = Ask {
                method: request.method(),
                headers: request.headers(),
                below: request.uri().path(),
                query: request.uri().query(),
                place: Place {
                    name: &self.name,
                    path: &self.path,
                    request_id: None,
                },
            };
            let answer = self.server.answer(&self.source, ask).await.map(Body::from);
            match self.desk {
                Some(_) => self.with_form(request.uri().path(), answer).await,
                None => answer,
            }
        }
        .boxed()
    }

    fn desk(&self) -> Option<Arc<dyn Desk>> {
        self.desk.clone()
    }
}
