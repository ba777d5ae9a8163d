use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use tempfile::TempDir;

use super::*;
use crate::data::layout;

/// A tree that is served, and what was answered.
struct Site {
    dir: TempDir,
    route: Arc<FilesRoute>,
    files: FileServer,
}

#[derive(Debug)]
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answered {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Site {
    fn bundle(index: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("7");
        fs::create_dir(&root).unwrap();
        let route = FilesRoute::bundle(root, 7, index.map(PathBuf::from));
        Self {
            dir,
            route: Arc::new(route),
            files: FileServer::default(),
        }
    }

    fn results() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let route = FilesRoute::active(dir.path().to_owned());
        Self {
            dir,
            route: Arc::new(route),
            files: FileServer::default(),
        }
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn activate(&self, number: u64) {
        let (link, new) = (self.dir.path().join(layout::ACTIVE), self.dir.path().join("new"));
        symlink(number.to_string(), &new).unwrap();
        fs::rename(new, link).unwrap();
    }

    async fn ask(&self, method: Method, below: &str, headers: &[(HeaderName, &str)]) -> Response<LocalBody> {
        let headers = headers.iter();
        let headers = headers
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let (below, query) = below
            .split_once('?')
            .map_or((below, None), |(below, query)| (below, Some(query)));
        let place = Place {
            name: "Sales",
            path: "/content/sales",
            request_id: None,
        };
        let ask = Ask {
            method: &method,
            headers: &headers,
            below,
            query,
            place,
        };
        self.files.answer(&self.route, ask).await
    }

    async fn get(&self, below: &str, headers: &[(HeaderName, &str)]) -> Answered {
        answered(self.ask(Method::GET, below, headers).await).await
    }
}

async fn answered(answer: Response<LocalBody>) -> Answered {
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answered {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

/// Does not compress well, so that it has many pieces.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    bytes.take(length).collect()
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn a_bundle_is_served_as_it_lies_there() {
    let site = Site::bundle(None);
    site.write("7/index.html", "<p>home");
    site.write("7/sub/index.html", "<p>sub");
    site.write("7/a b/é.js", "let x");
    site.write("7/empty.txt", "");
    let home = site.get("/", &[]).await;
    assert_eq!((home.status, home.text()), (200, "<p>home"));
    assert_eq!(home.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(home.header("content-length"), "7");
    assert_eq!(home.header("cache-control"), "no-cache");
    assert_eq!(home.header("x-content-type-options"), "nosniff");
    assert_eq!(site.get("/sub/", &[]).await.text(), "<p>sub");
    assert_eq!(site.get("/a%20b/%C3%A9.js", &[]).await.text(), "let x");
    assert_eq!(site.get("/empty.txt", &[]).await.status, 200);
    let slash = site.get("/sub?a=1&b=%2F", &[]).await;
    assert_eq!(
        (slash.status, slash.header("location")),
        (302, "/content/sales/sub/?a=1&b=%2F")
    );
    for missing in ["/none", "/sub/none", "/index.html/", "/index.html/x", "/a%20b/"] {
        assert_eq!(site.get(missing, &[]).await.status, 404, "{missing}");
    }
    let head = site.ask(Method::HEAD, "/", &[]).await;
    assert_eq!(head.headers()["content-length"], "7");
    assert!(matches!(head.body(), LocalBody::Empty));
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let refused = answered(site.ask(method, "/", &[]).await).await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
    }
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn the_main_file_of_the_manifest_is_shown_first() {
    let site = Site::bundle(Some("report.html"));
    site.write("7/index.html", "index");
    site.write("7/report.html", "report");
    assert_eq!(site.get("/", &[]).await.text(), "report");
    fs::remove_file(site.dir.path().join("7/report.html")).unwrap();
    assert_eq!(site.get("/", &[]).await.text(), "index");
    // Its links are meant from where it lies.
    let below = Site::bundle(Some("./out put/report.html"));
    below.write("7/out put/report.html", "report");
    let there = below.get("/?x=1", &[]).await;
    assert_eq!(
        (there.status, there.header("location")),
        (302, "/content/sales/out%20put/report.html?x=1")
    );
    for outside in ["../secret.html", "/etc/passwd"] {
        let site = Site::bundle(Some(outside));
        site.write("secret.html", "secret");
        assert_eq!(site.get("/", &[]).await.status, 404);
    }
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn nothing_outside_and_nothing_hidden_is_served() {
    let site = Site::bundle(None);
    site.write("secret", "SECRET");
    site.write("8/x.html", "SECRET");
    for hidden in ["7/manifest.json", "7/.htpasswd", "7/.git/config"] {
        site.write(hidden, "SECRET");
    }
    site.write("7/sub/manifest.json", "{}");
    site.write("7/real.txt", "real");
    let root = site.dir.path().join("7");
    for (target, link) in [
        ("../secret", "out"),
        ("..", "up"),
        ("/etc/passwd", "absolute"),
        ("/proc/self/root", "magic"),
        ("/proc/self/fd/0", "descriptor"),
        ("loop", "loop"),
        ("none", "dangling"),
        ("sub/../../8", "crooked"),
        ("real.txt", "inside"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    drop(std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap());
    for bad in [
        "/out",
        "/up/secret",
        "/up/8/x.html",
        "/absolute",
        "/magic/etc/passwd",
        "/descriptor",
        "/loop",
        "/dangling",
        "/crooked/x.html",
        "/fifo",
        "/socket",
        "/manifest.json",
        "/.htpasswd",
        "/.git/config",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/sub/..%2f..%2fsecret",
        "/sub/../manifest.json",
        "/%00",
        "/real.txt%00.html",
        "/..\\secret",
        "//etc/passwd",
        "/sub/.%2e/.%2e/secret",
        "/manifest%2ejson",
        "/7/real.txt",
    ] {
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), site.get(bad, &[])).await;
        let answer = answer.expect("nothing waits for a writer");
        assert_eq!(answer.status, 404, "{bad}");
        assert!(!answer.text().contains("SECRET"), "{bad}");
    }
    assert_eq!(
        site.get("/inside", &[]).await.text(),
        "real",
        "links that stay inside are followed"
    );
    assert_eq!(
        site.get("/sub/manifest.json", &[]).await.status,
        200,
        "only the bundle's own is none of its content"
    );
}

/// Proves: PK7 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_swapped_all_the_time_never_leads_out() {
    let site = Site::bundle(None);
    site.write("outside/file", "SECRET");
    site.write("7/inside/file", "fine");
    let root = site.dir.path().join("7");
    symlink("inside", root.join("dir")).unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let swapper = std::thread::spawn({
        let root = root.clone();
        move || {
            let outside = root.join("../outside").canonicalize().unwrap();
            for target in [outside.as_path(), Path::new("inside"), Path::new("../outside")]
                .iter()
                .cycle()
            {
                symlink(target, root.join("next")).unwrap();
                fs::rename(root.join("next"), root.join("dir")).unwrap();
                if ended.try_recv().is_ok() {
                    return;
                }
            }
        }
    });
    let mut fine = 0;
    for _ in 0..500 {
        let answer = site.get("/dir/file", &[]).await;
        assert!(answer.status == 404 || answer.text() == "fine", "{answer:?}");
        fine += usize::from(answer.status == 200);
    }
    end.send(()).unwrap();
    swapper.join().unwrap();
    assert!(fine > 0);
}

/// Proves: PK7 (L, P), RD3 (L, P)
#[tokio::test]
async fn a_visitor_who_has_it_gets_no_second_copy() {
    let site = Site::bundle(None);
    let path = site.write("7/data.csv", "a,b\n".repeat(1000));
    let first = site.get("/data.csv", &[]).await;
    let (etag, date) = (
        first.header("etag").to_owned(),
        first.header("last-modified").to_owned(),
    );
    assert!(etag.starts_with('"') && date.ends_with("GMT"), "{first:?}");
    for (name, value) in [
        (http::header::IF_NONE_MATCH, &etag),
        (http::header::IF_MODIFIED_SINCE, &date),
    ] {
        let again = site.get("/data.csv", &[(name, value)]).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), etag);
        assert_eq!(again.header("vary"), "Accept-Encoding");
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    let gzip = [(http::header::ACCEPT_ENCODING, "gzip")];
    let compressed = site.get("/data.csv", &gzip).await;
    let marked = compressed.header("etag").to_owned();
    assert_ne!(marked, etag, "two forms have two strong tags");
    assert_eq!(
        site.get("/data.csv", &[(http::header::IF_NONE_MATCH, &marked)])
            .await
            .status,
        304
    );
    assert_eq!(
        site.get("/data.csv", &[(http::header::IF_MATCH, "\"x\"")])
            .await
            .status,
        412
    );
    // The same length and the same time, as archives make them.
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "b,a\n".repeat(1000)).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(before)
        .unwrap();
    let changed = site
        .get("/data.csv", &[(http::header::IF_NONE_MATCH, &etag)])
        .await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), etag);
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn parts_of_files_are_served() {
    let site = Site::bundle(None);
    let content = noise(300_000);
    site.write("7/video.mp4", &content);
    let part = |range: &'static str| [(RANGE, range)];
    let one = site.get("/video.mp4", &part("bytes=100000-200000")).await;
    assert_eq!(
        (one.status, one.header("content-range")),
        (206, "bytes 100000-200000/300000")
    );
    assert_eq!(one.body, content[100_000..=200_000]);
    assert_eq!(one.header("content-type"), "video/mp4");
    assert_eq!(
        site.get("/video.mp4", &part("bytes=-5")).await.body,
        content[299_995..]
    );
    let none = site.get("/video.mp4", &part("bytes=300000-")).await;
    assert_eq!(
        (none.status, none.header("content-range")),
        (416, "bytes */300000")
    );
    assert_eq!(site.get("/video.mp4", &part("lines=1-2")).await.body, content);
    let whole = site
        .get(
            "/video.mp4",
            &[(RANGE, "bytes=0-1"), (http::header::IF_RANGE, "\"old\"")],
        )
        .await;
    assert_eq!((whole.status, whole.body.len()), (200, 300_000));
    let etag = whole.header("etag").to_owned();
    let rest = site
        .get(
            "/video.mp4",
            &[(RANGE, "bytes=299999-"), (http::header::IF_RANGE, &etag)],
        )
        .await;
    assert_eq!((rest.status, rest.body.len()), (206, 1));
    let head = site.ask(Method::HEAD, "/video.mp4", &part("bytes=0-1")).await;
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &HeaderValue::from_static("300000"))
    );
    let many = site.get("/video.mp4", &part("bytes=0-1,-70000")).await;
    let boundary = many
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let part_head = |range| {
        format!("--{boundary}\r\nContent-Type: video/mp4\r\nContent-Range: bytes {range}/300000\r\n\r\n")
    };
    let expected = [
        b"\r\n",
        part_head("0-1").as_bytes(),
        &content[..2],
        b"\r\n",
        part_head("230000-299999").as_bytes(),
        &content[230_000..],
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert_eq!(many.status, 206);
    assert_eq!(many.header("content-length"), expected.len().to_string());
    assert!(many.body == expected);
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn what_shrinks_is_compressed_for_who_takes_it() {
    let site = Site::bundle(None);
    let small = "line of text\n".repeat(1000);
    let mut large = noise(900_000);
    large.extend(small.repeat(100).as_bytes());
    site.write("7/small.txt", &small);
    site.write("7/large.wasm", &large);
    site.write("7/tiny.txt", "x");
    site.write("7/plot.png", &large);
    let gzip = [(http::header::ACCEPT_ENCODING, "gzip, deflate, br")];
    for (path, content) in [("/small.txt", small.as_bytes()), ("/large.wasm", &large)] {
        let answer = site.get(path, &gzip).await;
        assert_eq!(answer.header("content-encoding"), "gzip", "{path}");
        assert_eq!(answer.header("vary"), "Accept-Encoding");
        assert!(
            answer.body.len() < content.len() && unzipped(&answer.body) == content,
            "{path}"
        );
        let plain = site.get(path, &[]).await;
        assert_eq!(
            (plain.header("content-encoding"), plain.header("vary")),
            ("", "Accept-Encoding")
        );
        assert!(plain.body == content);
        let part = site.get(path, &[gzip[0].clone(), (RANGE, "bytes=0-9")]).await;
        assert_eq!(
            (part.status, part.header("content-encoding"), part.body.len()),
            (206, "", 10)
        );
    }
    for path in ["/tiny.txt", "/plot.png"] {
        assert_eq!(
            site.get(path, &gzip).await.header("content-encoding"),
            "",
            "{path}"
        );
    }
    let head = site.ask(Method::HEAD, "/small.txt", &gzip).await;
    assert_eq!(head.headers()["content-encoding"], "gzip");
    assert!(!head.headers().contains_key("content-length"));
}

#[tokio::test]
async fn where_too_much_is_compressed_files_go_as_they_are() {
    let mut site = Site::bundle(None);
    site.files = FileServer {
        compressors: Compressors::new(1, 1),
    };
    site.write("7/large.txt", "text ".repeat(100_000));
    let gzip = [(http::header::ACCEPT_ENCODING, "gzip")];
    let first = site.ask(Method::GET, "/large.txt", &gzip).await;
    assert_eq!(first.headers()["content-encoding"], "gzip");
    let second = site.get("/large.txt", &gzip).await;
    assert_eq!(
        (second.header("content-encoding"), second.body.len()),
        ("", 500_000)
    );
    drop(first);
    assert_eq!(
        site.get("/large.txt", &gzip).await.header("content-encoding"),
        "gzip"
    );
}

fn record(site: &Site, number: u64, index: Option<&str>) {
    let index = index.map_or_else(|| "null".to_owned(), |index| format!("\"{index}\""));
    let text = format!(
        "{{\"number\":{number},\"bundle\":1,\"job\":\"j\",\"finished\":\"2026-11-22T08:00:00Z\",\"index\":{index},\
         \"files\":1,\"bytes\":1}}"
    );
    site.write(&format!("{number}.json"), text);
}

/// Proves: RD3 (L, P)
#[tokio::test]
async fn the_active_result_is_served_and_changes_in_one_step() {
    let site = Site::results();
    let nothing = site.get("/", &[(http::header::ACCEPT, "application/json")]).await;
    assert_eq!(nothing.status, 404);
    assert!(nothing.text().contains("not-rendered"), "{nothing:?}");
    for number in [1, 2] {
        site.write(&format!("{number}/report.html"), format!("result {number}"));
        record(&site, number, Some("report.html"));
    }
    assert_eq!(
        site.get("/", &[]).await.status,
        404,
        "a result that is not active is not served"
    );
    site.activate(1);
    let first = site.get("/", &[]).await;
    assert_eq!(first.text(), "result 1");
    site.activate(2);
    let second = site
        .get("/", &[(http::header::IF_NONE_MATCH, first.header("etag"))])
        .await;
    assert_eq!((second.status, second.text()), (200, "result 2"));
    // An older one again: nothing of it counts as known, though it was made before the other.
    site.activate(1);
    let back = site
        .get(
            "/report.html",
            &[(http::header::IF_NONE_MATCH, second.header("etag"))],
        )
        .await;
    assert_eq!((back.status, back.text()), (200, "result 1"));
    for hidden in [
        "/../1.json",
        "/1.json",
        "/active/report.html",
        "/../2/report.html",
    ] {
        assert_eq!(site.get(hidden, &[]).await.status, 404, "{hidden}");
    }
    fs::remove_file(site.dir.path().join("active")).unwrap();
    symlink("../../other", site.dir.path().join("active")).unwrap();
    assert_eq!(site.get("/", &[]).await.status, 404, "only numbers are results");
}

#[tokio::test]
async fn a_result_without_a_recorded_page_shows_its_only_one() {
    for (names, expected) in [
        (&["named.html", "style.css"][..], 200),
        (&["report.pdf"], 200),
        (&["a.html", "b.html"], 404),
        (&["a.pdf", "b.pdf"], 404),
        (&["a.html", "index.html"], 200),
        (&[".hidden.html"], 404),
    ] {
        let site = Site::results();
        for name in names {
            site.write(&format!("3/{name}"), name);
        }
        record(&site, 3, None);
        site.activate(3);
        assert_eq!(site.get("/", &[]).await.status, expected, "{names:?}");
    }
}

/// Proves: RD3 (L, P)
#[tokio::test]
async fn a_download_goes_on_to_its_end_when_the_result_is_replaced_and_removed() {
    let site = Site::results();
    let content = noise(2_000_000);
    for number in [1, 2] {
        site.write(
            &format!("{number}/data.parquet"),
            if number == 1 { &content[..] } else { b"new" },
        );
        record(&site, number, None);
    }
    site.activate(1);
    let download = site.ask(Method::GET, "/data.parquet", &[]).await;
    let (_, mut body) = download.into_parts();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.len() <= 64 * 1024, "memory does not grow with the file");
    site.activate(2);
    fs::remove_dir_all(site.dir.path().join("1")).unwrap();
    let rest = body.collect().await.unwrap().to_bytes();
    assert!([&first[..], &rest].concat() == content);
    assert_eq!(site.get("/data.parquet", &[]).await.text(), "new");
}

/// Ends the other thread also where the test fails.
struct End(Arc<std::sync::atomic::AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Proves: RD3 (L, P)
#[test]
fn no_request_fails_while_results_follow_one_another() {
    let site = Site::results();
    let make = |number: u64| {
        site.write(
            &format!("{number}/index.html"),
            format!("{number} ").repeat(5_000),
        );
        record(&site, number, Some("index.html"));
        site.activate(number);
    };
    make(1);
    let end = Arc::new(std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2_u64.. {
                make(number);
                fs::remove_dir_all(site.dir.path().join((number - 1).to_string())).unwrap();
                if end.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _end = End(Arc::clone(&end));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..200 {
            let answer = runtime.block_on(site.get("/", &[]));
            assert_eq!(answer.status, 200);
            let words: Vec<&str> = answer.text().split_whitespace().collect();
            assert!(
                words.windows(2).all(|two| two[0] == two[1]),
                "two results in one answer"
            );
        }
    });
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn a_file_that_is_cut_off_while_it_is_sent_ends_the_answer() {
    let site = Site::bundle(None);
    let path = site.write("7/data.parquet", noise(500_000));
    let (_, mut body) = site.ask(Method::GET, "/data.parquet", &[]).await.into_parts();
    assert!(body.frame().await.unwrap().is_ok());
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(70_000)
        .unwrap();
    let error = body.collect().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_the_system_refuses_is_said_to_be_refused() {
    let (site, headers) = (Site::bundle(None), HeaderMap::new());
    let ask = Ask {
        method: &Method::GET,
        headers: &headers,
        below: "/x",
        query: None,
        place: Place::default(),
    };
    let status = |miss: fn(std::io::Error) -> Miss, error: i32| {
        let error = std::io::Error::from_raw_os_error(error);
        missed(&site.route, ask, miss(error)).status().as_u16()
    };
    assert_eq!(status(Miss::Forbidden, libc::EACCES), 403);
    assert_eq!(status(Miss::Failed, libc::EIO), 500);
}
