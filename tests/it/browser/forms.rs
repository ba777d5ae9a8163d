//! The form of a parameterised document in a real browser: with the keyboard alone, at two widths, in light and dark, and
//! without scripts.

use std::future::ready;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use offhost::apps::Address;
use offhost::content::dir::DirFiles;
use offhost::content::form::{Answers, Form, form};
use offhost::gateway::form::{Desk, Line, LineState, Look, Owner, Refused};
use offhost::gateway::{AppState, FileServer, FilesAt, FilesRoute, Serves};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::chromium::{Chromium, Page};
use super::{CONTRAST, HEADING, is_wanted};
use crate::gateway::rig::{Rig, route};

const REPORT: &str = "---
params:
  year: {label: Year of the sales, value: 2024}
  region: {label: Region, value: north, input: radio, choices: [north, south, west]}
  kinds: {label: Kinds, value: [a], input: select, multiple: true, choices: {Apples: a, Pears: b, A fruit with quite a long name: c}}
  rate: {label: Share, value: 50, input: slider, min: 0, max: 100, step: 10}
  part: {label: Part, value: [2, 8], input: slider, min: 0, max: 10}
  until: {label: Until, value: 2024-12-31, input: date}
  deep: {label: With all details, value: true}
  country: {label: Country, value: c7, input: select, choices: [COUNTRIES]}
  secret: {label: Password of the data base, value: none, input: password}
  data: {label: Own figures, value: '', input: file, accept: .csv}
  who: !r Sys.info()[['user']]
  codes: {label: Codes, value: [1, 2]}
  evil: {label: '<script>alert(1)</script>', value: '\"><img src=x onerror=alert(2)>'}
---
";

/// Renders as the test says.
#[derive(Debug)]
struct Told {
    form: Form,
    asked: Mutex<Vec<Answers>>,
    state: watch::Sender<AppState>,
    result: Arc<FilesAt>,
}

impl Desk for Told {
    fn form(&self) -> &Form {
        &self.form
    }

    fn today(&self) -> String {
        "2024-03-02".to_owned()
    }

    fn days(&self) -> Option<u64> {
        Some(7)
    }

    fn ask(&self, _: Owner, _: IpAddr, answers: Answers) -> BoxFuture<'_, Result<String, Refused>> {
        self.asked.lock().unwrap().push(answers);
        async { Ok("v1".to_owned()) }.boxed()
    }

    fn results<'a>(&'a self, _: &'a Owner) -> BoxFuture<'a, Option<Vec<Line>>> {
        let asked = self.asked.lock().unwrap();
        let line = |answers: &Answers| Line {
            id: "v1".to_owned(),
            asked: "2024-03-02 10:00".to_owned(),
            state: LineState::Done,
            answers: answers.told.clone(),
        };
        ready(Some(asked.iter().map(line).collect())).boxed()
    }

    fn look<'a>(&'a self, _: &'a Owner, id: &'a str) -> BoxFuture<'a, Option<Look>> {
        let is_ready = *self.state.borrow() == AppState::Ready;
        let look = || match is_ready {
            true => Look::Done(self.result.clone()),
            false => Look::Waiting(self.state.subscribe()),
        };
        ready((id == "v1").then(look)).boxed()
    }
}

struct Site {
    rig: Rig,
    desk: Arc<Told>,
    _root: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let countries: Vec<String> = (0..1000).map(|at| format!("c{at}")).collect();
        let text = REPORT.replace("COUNTRIES", &countries.join(", "));
        std::fs::write(root.path().join("report.Rmd"), text).unwrap();
        std::fs::write(
            root.path().join("index.html"),
            "<!doctype html><title>Live</title><link rel=icon href=data:,>",
        )
        .unwrap();
        let files = DirFiles::open(root.path()).unwrap();
        let spec = offhost::api::job::ContentJobSpec {
            app_mode: Some("rmd-static".to_owned()),
            ..Default::default()
        };
        let facts = offhost::content::gather(&files, &spec).unwrap();
        let server = Arc::new(FileServer::default());
        let at = |route, path: &str| {
            FilesAt::new(server.clone(), route, "Sales figures".to_owned(), path.to_owned())
        };
        let result = FilesRoute::bundle(root.path().to_owned(), 1, None);
        let desk = Arc::new(Told {
            form: form(&files, &facts).unwrap().unwrap(),
            asked: Mutex::default(),
            state: watch::Sender::new(AppState::Starting {
                since: Instant::now(),
            }),
            result: Arc::new(at(result, "/content/sales/__offhost__/variants/v1")),
        });
        let rig = Rig::new(&Address::Tcp("127.0.0.1:9".parse().unwrap()));
        // It has no result of its own.
        let files = at(FilesRoute::active(root.path().join("none")), "/content/sales");
        let files = files.with_desk(Some(desk.clone()));
        rig.routes
            .set(route(
                "Sales figures",
                "/content/sales",
                Serves::Files(Arc::new(files)),
            ))
            .unwrap();
        Self {
            rig,
            desk,
            _root: root,
        }
    }

    fn address(&self) -> String {
        format!("http://{}/content/sales/", self.rig.at)
    }

    fn values(&self) -> Value {
        let asked = self.desk.asked.lock().unwrap();
        serde_json::to_value(&asked.last().unwrap().values).unwrap()
    }
}

async fn write(page: &mut Page, text: &str) {
    page.call("Input.insertText", json!({ "text": text })).await;
}

async fn tab(page: &mut Page) {
    page.press("Tab", 9).await;
}

async fn focused(page: &mut Page) -> String {
    page.text("document.activeElement.name || document.activeElement.textContent.trim()")
        .await
}

/// Goes on with the keyboard to a control of this name.
async fn go(page: &mut Page, name: &str) {
    for _ in 0..40 {
        if focused(page).await == name {
            return;
        }
        tab(page).await;
    }
    panic!("the keyboard does not come to {name}");
}

/// Proves: PK6 (L)
#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_answered_with_the_keyboard_alone() {
    if !is_wanted() {
        return;
    }
    let (browser, site) = (Chromium::start(), Site::start());
    let mut page = browser.page(1280).await;
    page.open(&site.address()).await;
    page.until(&format!("{HEADING} === 'Parameters'")).await;
    assert_eq!(
        page.text("location.pathname").await,
        "/content/sales/__offhost__/parameters"
    );
    go(&mut page, "p0").await;
    write(&mut page, "1999").await;
    go(&mut page, "p1").await;
    page.press("ArrowDown", 40).await;
    go(&mut page, "p2").await;
    tab(&mut page).await;
    page.press(" ", 32).await;
    go(&mut page, "p3").await;
    page.press("ArrowRight", 39).await;
    assert_eq!(
        page.text("document.getElementById('p3-now').textContent").await,
        "60"
    );
    go(&mut page, "p4").await;
    write(&mut page, "3").await;
    go(&mut page, "p6").await;
    page.press(" ", 32).await;
    go(&mut page, "p7").await;
    page.press("ArrowDown", 40).await;
    go(&mut page, "p8").await;
    write(&mut page, "s3cret").await;
    go(&mut page, "p11").await;
    page.value("document.activeElement.select()").await;
    write(&mut page, "one").await;
    go(&mut page, "Make the result").await;
    page.press("Enter", 13).await;

    // The fault is told, is where the keyboard goes next, and leads to its field.
    page.until("document.title.startsWith('Problem')").await;
    page.until("document.activeElement.id === 'problems'").await;
    assert_eq!(
        page.text("document.getElementById('p11').getAttribute('aria-describedby')")
            .await,
        "p11-hint p11-error"
    );
    assert!(
        page.text("document.getElementById('p11-error').textContent")
            .await
            .contains("'one' is no number")
    );
    assert_eq!(page.text("document.getElementById('p0').value").await, "1999");
    assert_eq!(
        page.text("document.getElementById('p8').value").await,
        "",
        "a password is not shown again"
    );
    tab(&mut page).await;
    page.press("Enter", 13).await;
    assert_eq!(page.text("location.hash").await, "#p11");
    go(&mut page, "p11").await;
    page.value("document.activeElement.select()").await;
    write(&mut page, "7").await;
    go(&mut page, "Make the result").await;
    page.press("Enter", 13).await;
    page.until(&format!("{HEADING} === 'Your result is being made'"))
        .await;
    assert_eq!(
        site.values(),
        json!({"year": 1999, "region": "south", "kinds": ["a", "b"], "rate": 60, "part": [3, 8], "until": "2024-12-31",
            "deep": false, "country": "c8", "codes": [7], "evil": "\"><img src=x onerror=alert(2)>"})
    );
    site.desk.state.send_replace(AppState::Ready);
    let took = page.until("document.title === 'Live'").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(
        page.text("location.pathname").await,
        "/content/sales/__offhost__/variants/v1/"
    );
    assert_eq!(page.errors().await, [""; 0]);
}

/// Proves: PK6 (L)
#[tokio::test(flavor = "multi_thread")]
async fn the_form_works_without_scripts() {
    if !is_wanted() {
        return;
    }
    let (browser, site) = (Chromium::start(), Site::start());
    let mut page = browser.page(390).await;
    page.without_scripts().await;
    page.open(&site.address()).await;
    go(&mut page, "Make the result").await;
    page.press("Enter", 13).await;
    page.until(&format!("{HEADING} === 'Your result is being made'"))
        .await;
    assert_eq!(site.values()["country"], json!("c7"));
    assert_eq!(site.values()["part"], json!([2, 8]));
    site.desk.state.send_replace(AppState::Ready);
    page.until("document.title === 'Live'").await;
}

/// What everybody needs: each control has a name, and is large enough for a finger.
const UNNAMED: &str = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter((e) => \
    !e.labels.length).map((e) => e.name).join()";

async fn look(page: &mut Page, name: &str, width: u32) {
    for scheme in ["light", "dark"] {
        page.prefer(&[("prefers-color-scheme", scheme)]).await;
        let contrast = page.value(CONTRAST).await.as_f64().unwrap();
        assert!(contrast >= 4.5, "{name}, {scheme}: {contrast}");
        page.whole_picture(&format!("{name}-{width}-{scheme}")).await;
    }
    let wider = page
        .value("document.documentElement.scrollWidth > innerWidth")
        .await;
    assert_eq!(wider, json!(false), "{name} is wider than {width}");
    assert_eq!(page.text(UNNAMED).await, "");
    assert_eq!(
        page.value("document.querySelectorAll('h1').length").await,
        json!(1)
    );
    assert_eq!(
        page.value("document.querySelectorAll('img, main script').length")
            .await,
        json!(0),
        "nothing of a label is read"
    );
    assert_eq!(page.errors().await, [""; 0], "{name}");
}

/// Proves: PK6 (L)
#[tokio::test(flavor = "multi_thread")]
async fn the_form_can_be_read_by_everybody() {
    if !is_wanted() {
        return;
    }
    let (browser, site) = (Chromium::start(), Site::start());
    for width in [1280, 390] {
        let mut page = browser.page(width).await;
        page.open(&site.address()).await;
        page.until(&format!("{HEADING} === 'Parameters'")).await;
        look(&mut page, "form", width).await;
        page.value(
            "document.getElementById('p11').value = 'one'; document.getElementById('p5').required = false; \
            document.getElementById('p5').value = ''; document.querySelector('button').click()",
        )
        .await;
        page.until("document.title.startsWith('Problem')").await;
        look(&mut page, "form-wrong", width).await;
        page.open(&site.address()).await;
        page.value("document.querySelector('button').click()").await;
        page.until(&format!("{HEADING} === 'Your result is being made'"))
            .await;
        look(&mut page, "form-waiting", width).await;
        page.open(&site.address()).await;
        page.until("document.getElementById('results') !== null").await;
        look(&mut page, "form-results", width).await;
    }
}
