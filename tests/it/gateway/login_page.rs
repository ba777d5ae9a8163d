//! The page to log in at, in a real browser: with the keyboard alone, without scripts, at two widths.

use std::sync::Arc;

use serde_json::json;

use super::login::{Book, HOURS, rig};
use super::process::Process;
use crate::browser::chromium::{Chromium, Page};
use crate::browser::{CONTRAST, is_wanted};

async fn type_in(page: &mut Page, text: &str) {
    page.call("Input.insertText", json!({ "text": text })).await;
}

async fn focused(page: &mut Page) -> String {
    page.text("document.activeElement.id || document.activeElement.textContent")
        .await
}

async fn look(page: &mut Page, name: &str) {
    for scheme in ["light", "dark"] {
        page.prefer(&[("prefers-color-scheme", scheme)]).await;
        let contrast = page.value(CONTRAST).await.as_f64().unwrap();
        assert!(contrast >= 4.5, "{name}, {scheme}: {contrast}");
        page.picture(&format!("{name}-{scheme}")).await;
    }
    let wider = "document.documentElement.scrollWidth > innerWidth";
    assert_eq!(page.value(wider).await, json!(false), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_and_out_with_the_keyboard_alone() {
    if !is_wanted() {
        return;
    }
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let browser = Chromium::start();
    for width in [390, 1280] {
        let mut page = browser.page(width).await;
        if width == 390 {
            page.without_scripts().await;
        }
        let address = format!("http://{}/content/app/a?b=c", rig.at);
        page.open(&address).await;
        assert_eq!(
            page.text("document.querySelector('h1').textContent").await,
            "Log in"
        );
        look(&mut page, &format!("log-in-{width}")).await;
        assert_eq!(focused(&mut page).await, "user");
        type_in(&mut page, "ann").await;
        page.press("Tab", 9).await;
        assert_eq!(focused(&mut page).await, "password");
        assert_eq!(page.text("document.activeElement.type").await, "password");
        type_in(&mut page, "wrong").await;
        page.press("Enter", 13).await;
        page.until("document.querySelector('[role=alert]') !== null")
            .await;
        assert_eq!(
            page.text("document.querySelector('[role=alert]').textContent")
                .await,
            "The name or the password is wrong."
        );
        look(&mut page, &format!("log-in-refused-{width}")).await;
        // The name is there still, the password is not.
        assert_eq!(page.text("document.getElementById('user').value").await, "ann");
        assert_eq!(page.text("document.getElementById('password').value").await, "");
        assert_eq!(focused(&mut page).await, "password");
        assert_eq!(
            page.text("document.activeElement.getAttribute('aria-describedby')")
                .await,
            "problem"
        );
        let labels =
            "[...document.querySelectorAll('input:not([type=hidden])')].every((e) => e.labels.length === 1)";
        assert_eq!(page.value(labels).await, json!(true));
        type_in(&mut page, "right horse").await;
        page.press("Tab", 9).await;
        assert_eq!(focused(&mut page).await, "Log in");
        assert_eq!(
            page.text("getComputedStyle(document.activeElement).outlineStyle")
                .await,
            "solid"
        );
        page.press("Enter", 13).await;
        page.until("document.body.textContent.includes('rstudio-connect-credentials: {\"user\":\"ann\"')")
            .await;
        assert_eq!(
            page.text("location.href").await,
            address,
            "one comes back to what was asked for"
        );
        assert_eq!(
            page.text("document.cookie").await,
            "",
            "no script sees the cookies"
        );
        leaves(&mut page, &format!("http://{}/content/bobs/", rig.at), width).await;
        page.open(&address).await;
        assert_eq!(
            page.text("document.querySelector('h1').textContent").await,
            "Log in"
        );
        assert_eq!(page.errors().await, [""; 0]);
    }
}

/// At an address that is not for her she logs out.
async fn leaves(page: &mut Page, address: &str, width: u32) {
    page.open(address).await;
    assert_eq!(
        page.text("document.querySelector('h1').textContent").await,
        "This is not for you to see"
    );
    look(page, &format!("forbidden-{width}")).await;
    page.press("Tab", 9).await;
    page.press("Enter", 13).await;
    page.until("document.querySelector('h1')?.textContent === 'Log out'")
        .await;
    look(page, &format!("log-out-{width}")).await;
    page.press("Tab", 9).await;
    page.press("Enter", 13).await;
    page.until("document.querySelector('h1')?.textContent === 'You are logged out'")
        .await;
}
