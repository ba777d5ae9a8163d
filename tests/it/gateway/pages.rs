//! The pages of the whole gateway, in a real browser.

use std::time::{Duration, Instant};

use offhost::gateway::AppState;

use super::process::Process;
use super::rig::Rig;
use crate::browser::chromium::Chromium;
use crate::support::needs;

/// Proves: SC1 (L, P)
#[tokio::test(flavor = "multi_thread")]
async fn a_cold_application_is_waited_for_and_then_shown() {
    if !needs("OFFHOST_TEST_BROWSER", "it opens pages in Chromium") {
        return;
    }
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    *rig.hub.delay.lock().unwrap() = Duration::from_secs(3600);
    rig.hub.state.send_replace(AppState::Starting {
        since: Instant::now(),
    });
    let browser = Chromium::start();
    let mut page = browser.page(1280).await;
    let address = format!("http://{}/content/app/a?b=c#d", rig.at);
    page.open(&address).await;
    assert_eq!(
        page.text("document.querySelector('h1').textContent").await,
        "The application is starting"
    );
    *rig.hub.delay.lock().unwrap() = Duration::ZERO;
    rig.hub.state.send_replace(AppState::Ready);
    page.until("document.querySelector('h1') === null").await;
    assert_eq!(page.text("location.href").await, address);
    assert_eq!(page.errors().await, [""; 0]);
}
