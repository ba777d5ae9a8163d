//! Static content through the whole gateway.

use std::fs;
use std::sync::Arc;

use offhost::gateway::{FileServer, FilesAt, FilesRoute, Serves};
use tempfile::TempDir;

use super::client::{Client, get};
use super::process::Process;
use super::rig::{Rig, route};

/// A gateway that serves a directory at `/content/site`.
struct Site {
    rig: Rig,
    root: TempDir,
    _process: Process,
}

impl Site {
    async fn start() -> Self {
        let process = Process::echo().await;
        let rig = Rig::new(&process.address);
        let root = tempfile::tempdir().unwrap();
        let source = FilesRoute::bundle(root.path().to_owned(), 1, None);
        let (name, path) = ("Site".to_owned(), "/content/site".to_owned());
        let files = FilesAt::new(Arc::new(FileServer::default()), source, name, path);
        rig.routes
            .set(route("site", "/content/site", Serves::Files(Arc::new(files))))
            .unwrap();
        Self {
            rig,
            root,
            _process: process,
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root.path().join(name), content).unwrap();
    }
}

fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} /content/site{path} HTTP/1.1\r\nHost: gw.example\r\n{fields}\r\n")
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn one_connection_carries_every_kind_of_answer() {
    let site = Site::start().await;
    site.write("index.html", "<p>home");
    site.write("data.bin", vec![7; 200_000]);
    let mut client = Client::new(site.rig.at).await;
    let mut ask = async |text: String| {
        client.send(text).await;
        client.reply().await.expect("the connection goes on")
    };
    let home = ask(request("GET", "/?x=1", "")).await;
    assert_eq!((home.status(), home.text()), (200, "<p>home"));
    let etag = format!("If-None-Match: {}\r\n", home.field("etag").unwrap());
    let known = ask(request("GET", "/", &etag)).await;
    assert_eq!((known.status(), known.body.len()), (304, 0));
    let part = ask(request("GET", "/data.bin", "Range: bytes=10-99\r\n")).await;
    assert_eq!((part.status(), part.body), (206, vec![7; 90]));
    let whole = ask(request("GET", "/data.bin", "")).await;
    assert_eq!((whole.status(), whole.body.len()), (200, 200_000));
    let slash = get(site.rig.at, "/content/site", "").await;
    assert_eq!(
        (slash.status(), slash.field("location")),
        (307, Some("/content/site/"))
    );
    for bad in [
        "/../secret",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/.git/config",
        "//etc/passwd",
        "/%00",
    ] {
        assert_eq!(ask(request("GET", bad, "")).await.status(), 404, "{bad}");
    }
    let page = ask(request("GET", "/none", "Accept: text/html\r\n")).await;
    assert_eq!(page.status(), 404);
    assert!(page.text().contains("<h1 id=\"title\">Nothing is here</h1>") && page.text().contains("Site"));
    let refused = ask(request("POST", "/", "Content-Length: 3\r\n\r\nabc")).await;
    assert_eq!(
        (refused.status(), refused.field("allow")),
        (405, Some("GET, HEAD"))
    );
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let site = Site::start().await;
    site.write("data.bin", vec![7; 5000]);
    let mut client = Client::new(site.rig.at).await;
    client
        .send(request("HEAD", "/data.bin", "Connection: close\r\n"))
        .await;
    let head = client.head().await.unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("content-length: 5000\r\n"),
        "{head}"
    );
    assert_eq!(client.until_closed().await, b"");
}

/// Proves: PK7 (L, P)
#[tokio::test]
async fn a_download_that_can_not_be_finished_ends_the_connection() {
    let site = Site::start().await;
    site.write("data.bin", vec![7; 50_000_000]);
    let mut client = Client::new(site.rig.at).await;
    client.send(request("GET", "/data.bin", "")).await;
    client.head().await.unwrap();
    let file = fs::File::options()
        .write(true)
        .open(site.root.path().join("data.bin"))
        .unwrap();
    file.set_len(1).unwrap();
    let length = client.until_closed().await.len();
    assert!(length < 50_000_000, "{length}");
}
