//! Files of content for visitors: static bundles and the active results of documents (PK7, RD3). No process of the
//! content runs for them.

mod at;
mod path;
mod range;
mod send;
mod source;
mod types;
mod validate;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, LAST_MODIFIED, LOCATION, RANGE, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::body::Bytes;

use self::path::Wanted;
use self::range::{Part, Parts};
use self::send::{Compressor, Compressors, Segment};
use self::source::{Found, Miss, OpenFile};
use self::types::FileType;
use self::validate::Verdict;
use super::accept;
use super::local_body::LocalBody;
use super::pages::{self, Page, Place};

pub use self::at::FilesAt;
pub use self::source::FilesRoute;

/// Files up to this size are read as soon as they are found, and compressed in one go.
const SMALL: u64 = 64 * 1024;
/// Compressing less saves nothing that a packet would show.
const WORTH_IT: u64 = 1024;
/// Bodies that are compressed at once; each holds some 300 KiB for it.
const MOST_COMPRESSED: usize = 256;

/// What is asked of a route.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The path below the application's, as the request spells it: it begins with a slash.
    pub below: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// Where the application is, for addresses and for pages.
    pub place: Place<'a>,
}

/// Answers with files.
#[derive(Debug)]
pub struct FileServer {
    compressors: Compressors,
}

impl Default for FileServer {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // The rest of the processors goes on with everything else.
        Self {
            compressors: Compressors::new(MOST_COMPRESSED, threads.div_ceil(2)),
        }
    }
}

impl FileServer {
    /// The answer to a request below the path of `route`.
    pub async fn answer(&self, route: &Arc<FilesRoute>, ask: Ask<'_>) -> Response<LocalBody> {
        match self.try_answer(route, ask).await {
            Ok(answer) => answer,
            Err(miss) => missed(route, ask, miss),
        }
    }

    async fn try_answer(&self, route: &Arc<FilesRoute>, ask: Ask<'_>) -> Result<Response<LocalBody>, Miss> {
        if ask.method != Method::GET && ask.method != Method::HEAD {
            let mut answer = pages::answer(ask.headers, &ask.place, &Page::Method);
            set(&mut answer, ALLOW, "GET, HEAD");
            return Ok(answer);
        }
        let wanted = Wanted::parse(ask.below).ok_or(Miss::NotFound)?;
        let is_read = ask.method == Method::GET && !ask.headers.contains_key(http::header::IF_NONE_MATCH);
        let finder = Arc::clone(route);
        let found = tokio::task::spawn_blocking(move || {
            let found = finder.find(&wanted)?;
            let content = match &found {
                Found::File(file) if is_read && file.size <= SMALL => Some(whole(file)?),
                _ => None,
            };
            Ok((found, content))
        });
        let found = found
            .await
            .map_err(|error| Miss::Failed(std::io::Error::other(error)))?;
        match found? {
            (Found::File(file), content) => Ok(self.send(file, content, ask).await),
            (Found::Slash, _) => Ok(redirect(ask, &format!("{}/", ask.below))),
            (Found::Elsewhere(main), _) => Ok(redirect(ask, &format!("/{}", path::encode(&main)))),
        }
    }

    async fn send(&self, file: OpenFile, content: Option<Bytes>, ask: Ask<'_>) -> Response<LocalBody> {
        let kind = FileType::of(&file.path);
        let is_get = ask.method == Method::GET;
        let mut answer = described(&file, kind);
        match file.version.check(ask.headers) {
            Verdict::Send => {}
            Verdict::NotModified => return without_body(answer, StatusCode::NOT_MODIFIED),
            Verdict::Failed => return without_body(answer, StatusCode::PRECONDITION_FAILED),
        }
        let range = ask
            .headers
            .get(RANGE)
            .and_then(|range| range.to_str().ok())
            .filter(|_| is_get);
        if let Some(range) = range
            && file.version.allows_parts(ask.headers, SystemTime::now())
        {
            match Parts::parse(range, file.size) {
                Parts::Whole => {}
                Parts::None => return unsatisfiable(answer, file.size),
                Parts::Some(parts) => return in_parts(answer, file, &parts),
            }
        }
        set(&mut answer, CONTENT_TYPE, &kind.header());
        let is_compressed = range.is_none() && kind.shrinks() && file.size >= WORTH_IT;
        if is_compressed
            && accept::takes_gzip(ask.headers)
            && let Some(compressor) = self.compressors.take()
        {
            set(&mut answer, CONTENT_ENCODING, "gzip");
            set(&mut answer, ETAG, &file.version.etag(true));
            if is_get {
                *answer.body_mut() = compress(file, content, compressor).await;
            }
            return answer;
        }
        set(&mut answer, CONTENT_LENGTH, &file.size.to_string());
        if is_get {
            *answer.body_mut() = match content {
                Some(content) => LocalBody::Full(content),
                None => body(file, None),
            };
        }
        answer
    }
}

/// Small files are there whole, others come as they are read.
async fn compress(file: OpenFile, content: Option<Bytes>, compressor: Compressor) -> LocalBody {
    match content {
        Some(content) => match compressor.whole(content).await {
            Ok(compressed) => LocalBody::Full(compressed),
            // Never seen: memory takes whatever is written into it.
            Err(error) => LocalBody::stream(futures::stream::iter([Err(error)]), None),
        },
        None => LocalBody::stream(send::compressed(file.file, file.size, compressor), None),
    }
}

/// A whole file, or its parts, each behind its own head.
fn body(file: OpenFile, segments: Option<(VecDeque<Segment>, u64)>) -> LocalBody {
    let (segments, length) = segments.unwrap_or_else(|| {
        let (start, length) = (0, file.size);
        let all = (length > 0).then_some(Segment::File(Part { start, length }));
        (all.into_iter().collect(), length)
    });
    LocalBody::stream(send::pieces(file.file, segments), Some(length))
}

/// Reads a small file. One that became shorter meanwhile is not sent under a wrong length.
fn whole(file: &OpenFile) -> Result<Bytes, Miss> {
    if file.size == 0 {
        return Ok(Bytes::new());
    }
    let mut content = Vec::with_capacity(usize::try_from(file.size).unwrap_or(0));
    while (content.len() as u64) < file.size {
        let start = content.len() as u64;
        let length = file.size - start;
        content.extend(send::read(&file.file, Part { start, length }).map_err(Miss::Failed)?);
    }
    Ok(content.into())
}

/// The headers that every answer about a file has.
fn described(file: &OpenFile, kind: FileType) -> Response<LocalBody> {
    let mut answer = Response::new(LocalBody::Empty);
    set(&mut answer, ETAG, &file.version.etag(false));
    set(&mut answer, LAST_MODIFIED, &file.version.last_modified());
    // Kept, but asked about each time: what is active may change at any moment.
    set(&mut answer, CACHE_CONTROL, "no-cache");
    set(&mut answer, ACCEPT_RANGES, "bytes");
    set(
        &mut answer,
        HeaderName::from_static("x-content-type-options"),
        "nosniff",
    );
    if kind.shrinks() {
        set(&mut answer, VARY, "Accept-Encoding");
    }
    if kind.is_svgz {
        set(&mut answer, CONTENT_ENCODING, "gzip");
    }
    answer
}

fn without_body(mut answer: Response<LocalBody>, status: StatusCode) -> Response<LocalBody> {
    *answer.status_mut() = status;
    answer.headers_mut().remove(CONTENT_ENCODING);
    answer
}

fn unsatisfiable(mut answer: Response<LocalBody>, size: u64) -> Response<LocalBody> {
    set(&mut answer, CONTENT_RANGE, &format!("bytes */{size}"));
    set(&mut answer, CONTENT_LENGTH, "0");
    without_body(answer, StatusCode::RANGE_NOT_SATISFIABLE)
}

fn in_parts(mut answer: Response<LocalBody>, file: OpenFile, parts: &[Part]) -> Response<LocalBody> {
    *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    let kind = FileType::of(&file.path).header();
    let (segments, length) = if let [part] = parts {
        set(&mut answer, CONTENT_TYPE, &kind);
        set(&mut answer, CONTENT_RANGE, &part.spelled(file.size));
        ([Segment::File(*part)].into(), part.length)
    } else {
        // Of the file's own tag, which its author can not foresee.
        let boundary = format!("offhost-{}", file.version.tag);
        set(
            &mut answer,
            CONTENT_TYPE,
            &format!("multipart/byteranges; boundary={boundary}"),
        );
        multipart(parts, &boundary, &kind, file.size)
    };
    set(&mut answer, CONTENT_LENGTH, &length.to_string());
    *answer.body_mut() = body(file, Some((segments, length)));
    answer
}

/// RFC 9110, section 14.6.
fn multipart(parts: &[Part], boundary: &str, kind: &str, size: u64) -> (VecDeque<Segment>, u64) {
    let mut segments = VecDeque::new();
    let mut length = 0;
    let mut text = |segments: &mut VecDeque<Segment>, text: String| {
        length += text.len() as u64;
        segments.push_back(Segment::Bytes(text.into()));
    };
    for part in parts {
        let range = part.spelled(size);
        let head = format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {range}\r\n\r\n");
        text(&mut segments, head);
        segments.push_back(Segment::File(*part));
    }
    text(&mut segments, format!("\r\n--{boundary}--\r\n"));
    length += parts.iter().map(|part| part.length).sum::<u64>();
    (segments, length)
}

/// To another path of the same application, with the same query.
fn redirect(ask: Ask<'_>, below: &str) -> Response<LocalBody> {
    let query = ask.query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut answer = Response::new(LocalBody::Empty);
    *answer.status_mut() = StatusCode::FOUND;
    set(
        &mut answer,
        LOCATION,
        &format!("{}{below}{query}", ask.place.path),
    );
    set(&mut answer, CACHE_CONTROL, "no-cache");
    set(&mut answer, CONTENT_LENGTH, "0");
    answer
}

fn missed(route: &FilesRoute, ask: Ask<'_>, miss: Miss) -> Response<LocalBody> {
    let told = |error: &std::io::Error| {
        tracing::warn!(place = %route.place().display(), path = ask.below, %error, "a file can not be served");
    };
    let page = match miss {
        Miss::NotFound => Page::NotFound,
        Miss::NotRendered => Page::NotRendered,
        Miss::Forbidden(error) => {
            told(&error);
            Page::Unreadable
        }
        Miss::Failed(error) => {
            told(&error);
            Page::Internal
        }
    };
    pages::answer(ask.headers, &ask.place, &page)
}

/// Sets a header. Values are made of numbers, of types and of what came in a request's address.
fn set(answer: &mut Response<LocalBody>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests;
