//! The gateway's own pages in a real browser: they go live by themselves, and everybody can read and use them.

pub(crate) mod chromium;
mod forms;
mod server;

use std::time::Duration;

use offhost::gateway::AppState;
use serde_json::json;

use self::chromium::{Chromium, Page};
use self::server::{PAGES, Server, failure};
use crate::support::needs;

const HEADING: &str = "document.querySelector('h1')?.textContent";

pub(crate) fn is_wanted() -> bool {
    needs("OFFHOST_TEST_BROWSER", "it opens pages in Chromium")
}

/// Proves: SC1 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_starting_application_goes_live_by_itself() {
    if !is_wanted() {
        return;
    }
    let (browser, server) = (Chromium::start(), Server::start().await);
    let mut page = browser.page(1280).await;
    server.starting();
    let address = server.address("/report?region=north&q=a%20b#chapter-2");
    page.open(&address).await;
    assert_eq!(page.text(HEADING).await, "The application is starting");
    // It waits as long as nothing changes, and shows for how long.
    page.until("document.getElementById('time').textContent >= '2 s'")
        .await;
    assert_eq!(server.counts(), (1, 0));
    server.set(AppState::Ready);
    let took = page.until("document.title === 'Live'").await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(
        page.text("location.href").await,
        address,
        "path, query and fragment are kept"
    );
    assert_eq!(server.counts(), (2, 0));
    assert_eq!(page.errors().await, [""; 0]);
}

/// Proves: SC1 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn it_goes_live_without_scripts_and_without_a_stream_too() {
    if !is_wanted() {
        return;
    }
    let (browser, server) = (Chromium::start(), Server::start().await);
    server.starting();
    server.silence();
    let (mut plain, mut polling) = (browser.page(1280).await, browser.page(1280).await);
    plain.without_scripts().await;
    let address = server.address("/a?b=c");
    plain.open(&address).await;
    polling.open(&address).await;
    server.set(AppState::Ready);
    plain.until("document.title === 'Live'").await;
    polling.until("document.title === 'Live'").await;
    for page in [&mut plain, &mut polling] {
        assert_eq!(page.text("location.href").await, address);
        assert_eq!(page.errors().await, [""; 0]);
    }
}

/// Proves: SC1 (L, P), SC3 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn the_visitor_learns_that_it_failed_and_can_try_again() {
    if !is_wanted() {
        return;
    }
    let (browser, server) = (Chromium::start(), Server::start().await);
    let mut page = browser.page(390).await;
    server.starting();
    page.open(&server.address("/?x=1")).await;
    server.set(AppState::Failed(failure("It was not ready within 60 s.")));
    page.until("document.querySelector('h1')?.textContent === 'The application did not start'")
        .await;
    assert!(
        page.text("document.body.innerText")
            .await
            .contains("It was not ready within 60 s.")
    );
    let before = server.counts().0;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(server.counts().0, before, "nothing starts it again by itself");
    // With the keyboard alone, and it is seen where one is.
    page.press("Tab", 9).await;
    assert_eq!(page.text("document.activeElement.textContent").await, "Try again");
    assert_eq!(
        page.text("getComputedStyle(document.activeElement).outlineStyle")
            .await,
        "solid"
    );
    server.set(AppState::Ready);
    page.press("Enter", 13).await;
    page.until("document.title === 'Live'").await;
    assert_eq!(page.text("location.search").await, "?x=1");
    assert_eq!(page.errors().await, [""; 0]);
}

/// Proves: SC1 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn what_a_form_sent_is_not_sent_twice() {
    if !is_wanted() {
        return;
    }
    let (browser, server) = (Chromium::start(), Server::start().await);
    let mut page = browser.page(1280).await;
    server.starting();
    page.open(&format!("{}/form", server.origin)).await;
    page.value("document.querySelector('button').click()").await;
    page.until("document.querySelector('h1')?.textContent === 'The application is starting'")
        .await;
    assert!(
        page.text("document.body.innerText")
            .await
            .contains("has not arrived")
    );
    server.set(AppState::Ready);
    page.until("document.querySelector('h1')?.textContent === 'The application is ready'")
        .await;
    assert!(
        page.text("document.title")
            .await
            .starts_with("The application is ready")
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(server.counts(), (0, 1));
    assert_eq!(page.errors().await, [""; 0]);
}

/// Where a text and what is behind it differ least, as WCAG measures it.
pub(crate) const CONTRAST: &str = r"(() => {
    const light = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    const numbers = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const behind = (element) => {
        const color = numbers(getComputedStyle(element).backgroundColor);
        return color[3] === 0 ? behind(element.parentElement) : color;
    };
    const ratios = [...document.querySelectorAll('main *')].filter((e) => e.textContent.trim()).map((e) => {
        const [a, b] = [luminance(numbers(getComputedStyle(e).color)), luminance(behind(e))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
    return Math.min(...ratios);
})()";

async fn look(page: &mut Page, server: &Server, name: &str, width: u32) {
    page.open(&format!("{}/pages/{name}", server.origin)).await;
    for scheme in ["light", "dark"] {
        page.prefer(&[("prefers-color-scheme", scheme)]).await;
        let contrast = page.value(CONTRAST).await.as_f64().unwrap();
        assert!(contrast >= 4.5, "{name}, {scheme}: {contrast}");
        page.picture(&format!("{name}-{width}-{scheme}")).await;
    }
    let wider = page
        .value("document.documentElement.scrollWidth > innerWidth")
        .await;
    assert_eq!(wider, json!(false), "{name} is wider than {width}");
    assert_eq!(page.text("document.documentElement.lang").await, "en");
    assert_eq!(
        page.value("document.querySelectorAll('h1').length").await,
        json!(1)
    );
    assert_eq!(page.value("document.title !== ''").await, json!(true));
    page.prefer(&[("prefers-reduced-motion", "reduce")]).await;
    let moving = "[...document.querySelectorAll('*')].some((e) => \
        getComputedStyle(e, '::after').animationName !== 'none')";
    assert_eq!(page.value(moving).await, json!(false), "{name} moves");
    page.prefer(&[]).await;
    assert_eq!(page.errors().await, [""; 0], "{name}");
}

/// Proves: SC1 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_be_read_by_everybody() {
    if !is_wanted() {
        return;
    }
    let (browser, server) = (Chromium::start(), Server::start().await);
    server.starting();
    for width in [1280, 390, 320] {
        let mut page = browser.page(width).await;
        for name in PAGES {
            // Pages that wait for another state than this one stay.
            let state = match name {
                "held" => AppState::Failed(failure("x")),
                "queued" => AppState::Queued,
                _ => AppState::Busy,
            };
            match name {
                "starting" | "lost" => server.starting(),
                _ => server.set(state),
            }
            look(&mut page, &server, name, width).await;
        }
    }
}
