//! What the gateway has to say, as its own pages.

use http::{Method, Response, StatusCode};

use super::{Page, Place};
use crate::gateway::body::Body;
use crate::gateway::notice::{Asked, Notice, Pages};

/// The gateway's own pages. They show no logs: nobody is known to be allowed to see them.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnPages;

impl Pages for OwnPages {
    fn page(&self, notice: &Notice, asked: &Asked<'_>) -> Response<Body> {
        // What changes something is not asked for once more by itself.
        let is_lost = !matches!(*asked.method, Method::GET | Method::HEAD);
        let page = match notice {
            Notice::NotFound => Page::NotFound,
            Notice::Starting { running } => Page::Starting {
                seconds: running.as_secs(),
                is_lost,
            },
            Notice::Failed(failure) => Page::Failed { failure, log: None },
            Notice::Held(failure) => Page::Held(failure),
            Notice::Refused(message) => Page::Refused {
                status: StatusCode::FORBIDDEN,
                message,
            },
            Notice::Busy | Notice::QueueFull => Page::Busy { is_lost },
            Notice::Queued => Page::Queued { is_lost },
            Notice::Closing => Page::Closing { is_lost },
            Notice::Broken => Page::BadGateway,
            Notice::Late => Page::Timeout,
        };
        let route = asked.entry.map(|entry| &entry.route);
        let place = Place {
            name: route.map_or("", |route| &route.name),
            path: route.map_or("", |route| &route.path),
            request_id: asked.id.to_str().ok(),
        };
        super::answer(asked.headers, &place, &page).map(Body::from)
    }
}
