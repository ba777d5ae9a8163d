//! A gateway in small: one application that answers as a test wants it to.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use offhost::apps::Failure;
use offhost::gateway::{AppState, LocalBody, Page, Place, STATE, Watchers, pages};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where the application is.
pub(super) const PATH: &str = "/content/sales";

/// The server of one test.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) origin: String,
    told: Arc<Told>,
}

#[derive(Debug)]
struct Told {
    state: watch::Sender<AppState>,
    watchers: Watchers,
    /// Nobody may listen; one look at a time is all there is.
    is_silent: AtomicBool,
    opened: AtomicUsize,
    sent: AtomicUsize,
}

impl Server {
    pub(super) async fn start() -> Self {
        let told = Arc::new(Told {
            state: watch::channel(AppState::Idle).0,
            watchers: Watchers::default(),
            is_silent: AtomicBool::new(false),
            opened: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn({
            let told = Arc::clone(&told);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let told = Arc::clone(&told);
                    let service = service_fn(move |request| {
                        let answer = told.answer(&request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let mut builder = hyper::server::conn::http1::Builder::new();
                    builder.timer(TokioTimer::new());
                    tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
                }
            }
        });
        Self { origin, told }
    }

    pub(super) fn address(&self, below: &str) -> String {
        format!("{}{PATH}{below}", self.origin)
    }

    pub(super) fn set(&self, state: AppState) {
        self.told.state.send_replace(state);
    }

    pub(super) fn starting(&self) {
        self.set(AppState::Starting {
            since: std::time::Instant::now(),
        });
    }

    pub(super) fn silence(&self) {
        self.told.is_silent.store(true, Ordering::Relaxed);
    }

    /// How often the application was asked for with GET, and with POST.
    pub(super) fn counts(&self) -> (usize, usize) {
        (
            self.told.opened.load(Ordering::Relaxed),
            self.told.sent.load(Ordering::Relaxed),
        )
    }
}

pub(super) fn failure(message: &str) -> Failure {
    Failure {
        reason: "InitTimeout".to_owned(),
        message: message.to_owned(),
        process: None,
        exit_code: None,
    }
}

/// Every page, by a name of its own.
pub(super) const PAGES: [&str; 16] = [
    "starting",
    "lost",
    "failed",
    "log",
    "held",
    "busy",
    "queued",
    "closing",
    "not-found",
    "not-rendered",
    "rendering",
    "not-made",
    "bad-gateway",
    "timeout",
    "refused",
    "internal",
];

const LOG: &str = "Loading required package: shiny\n\nListening on http://127.0.0.1:3939\nWarning: Error in readRDS: cannot \
    open file 'data/model.rds': No such file or directory\n  55: <Anonymous>\n  53: readRDS\n  51: server [app.R#14]\n   3: \
    runApp\n   2: print.shiny.appobj\n   1: <Anonymous>\nError in readRDS(\"data/model.rds\") : cannot open the connection";

impl Told {
    fn answer(&self, request: &Request<Incoming>) -> Response<LocalBody> {
        let path = request.uri().path();
        let headers = request.headers();
        if path.strip_prefix(PATH) == Some(STATE) {
            let wants_events = headers
                .get(ACCEPT)
                .is_some_and(|accept| accept == "text/event-stream");
            if wants_events && self.is_silent.load(Ordering::Relaxed) {
                let mut refused = Response::new(LocalBody::Empty);
                *refused.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return refused;
            }
            return self.watchers.answer(
                headers,
                &"sales".into(),
                self.state.subscribe(),
                CancellationToken::new(),
            );
        }
        if let Some(name) = path.strip_prefix("/pages/") {
            return gallery(request, name);
        }
        if path == "/form" {
            let form = format!(
                "<!doctype html><title>Form</title><link rel=icon href=data:,>\
                <form method=post action=\"{PATH}/send\"><button>Send</button></form>"
            );
            return html(form);
        }
        let is_lost = request.method() == Method::POST;
        let count = if is_lost { &self.sent } else { &self.opened };
        count.fetch_add(1, Ordering::Relaxed);
        let failure;
        let told = match &*self.state.borrow() {
            AppState::Ready => {
                return html("<!doctype html><link rel=icon href=data:,><title>Live</title>live".to_owned());
            }
            AppState::Idle | AppState::Starting { .. } => Page::Starting { seconds: 0, is_lost },
            AppState::Busy => Page::Busy { is_lost },
            AppState::Queued => Page::Queued { is_lost },
            AppState::Failed(why) => {
                failure = why.clone();
                Page::Failed {
                    failure: &failure,
                    log: None,
                }
            }
        };
        pages::answer(headers, &place("Sales figures"), &told)
    }
}

fn place(name: &str) -> Place<'_> {
    Place {
        name,
        path: PATH,
        request_id: Some("f1d0a6c2b7e94b0d8c3e5a7f9b1d2c4e"),
    }
}

fn html(text: String) -> Response<LocalBody> {
    let mut answer = Response::new(LocalBody::from(text));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}

fn gallery(request: &Request<Incoming>, name: &str) -> Response<LocalBody> {
    let timeout = failure(
        "The application was not ready within 60 seconds; look into its log, or raise 'initTimeoutSeconds'.",
    );
    let suspended = failure("It is suspended until the end of the maintenance; its publisher can resume it.");
    let stopped = failure("The document stopped with an error. Check your answers.");
    let told = match name {
        "starting" => Page::Starting {
            seconds: 27,
            is_lost: false,
        },
        "lost" => Page::Starting {
            seconds: 3,
            is_lost: true,
        },
        "failed" => Page::Failed {
            failure: &timeout,
            log: None,
        },
        "log" => Page::Failed {
            failure: &timeout,
            log: Some(LOG),
        },
        "held" => Page::Held(&suspended),
        "busy" => Page::Busy { is_lost: false },
        "queued" => Page::Queued { is_lost: false },
        "closing" => Page::Closing { is_lost: false },
        "not-found" => Page::NotFound,
        "not-rendered" => Page::NotRendered,
        "rendering" => Page::Rendering { seconds: 3 },
        "not-made" => Page::NotMade {
            failure: &stopped,
            form: "/content/sales/__offhost__/parameters",
        },
        "bad-gateway" => Page::BadGateway,
        "timeout" => Page::Timeout,
        "refused" => Page::Refused {
            status: StatusCode::FORBIDDEN,
            message: "A page of 'https://elsewhere.example' may not open a connection to this application; open it at its own address.",
        },
        _ => Page::Internal,
    };
    let place = if name == "not-found" {
        place("")
    } else {
        place("Quarterly sales figures")
    };
    pages::answer(request.headers(), &place, &told)
}
