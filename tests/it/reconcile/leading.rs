//! Which replica leads: one at a time, whatever happens to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use offhost::controller::lease::{Leadership, LeaseError};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fake_api::{FakeApi, Fault, NAMESPACE};

fn api() -> FakeApi {
    FakeApi::new(Arc::new(|| Timestamp::from_second(1_767_225_600).unwrap()))
}

fn replica(api: &FakeApi, name: &str) -> Leadership {
    Leadership::new(&api.client(), NAMESPACE, "offhost-controller", name)
}

fn holder(api: &FakeApi) -> String {
    let lease = api.get("leases", "offhost-controller").unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

/// Seconds until that replica leads.
async fn leads(replica: &mut Leadership) -> u64 {
    let begun = Instant::now();
    let stop = CancellationToken::new();
    let led = timeout(Duration::from_secs(300), replica.acquire(&stop)).await;
    assert_eq!(led, Ok(true));
    assert!(replica.tenure().holds());
    begun.elapsed().as_secs()
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_follows_when_it_gives_the_lease_back() {
    let api = api();
    let (mut first, mut second) = (replica(&api, "first"), replica(&api, "second"));
    assert_eq!(leads(&mut first).await, 0);
    let waiting = tokio::spawn(async move {
        leads(&mut second).await;
        second
    });
    assert!(
        timeout(Duration::from_secs(60), first.keep()).await.is_err(),
        "it keeps the Lease"
    );
    assert_eq!(holder(&api), "first");
    first.release().await.unwrap();
    assert!(!first.tenure().holds());
    let second = timeout(Duration::from_secs(4), waiting).await.unwrap().unwrap();
    assert_eq!(holder(&api), "second");
    assert!(second.tenure().holds());
    let lease = api.get("leases", "offhost-controller").unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 1);
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn one_that_died_is_followed_after_the_time_of_its_lease() {
    let api = api();
    let mut first = replica(&api, "first");
    leads(&mut first).await;
    drop(first);
    let waited = leads(&mut replica(&api, "second")).await;
    assert!((15..20).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_started_again_in_its_pod_goes_on_at_once() {
    let api = api();
    leads(&mut replica(&api, "first")).await;
    assert_eq!(leads(&mut replica(&api, "first")).await, 0);
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn the_holder_gives_up_before_another_can_follow() {
    let api = api();
    let (mut first, mut second) = (replica(&api, "first"), replica(&api, "second"));
    leads(&mut first).await;
    let begun = Instant::now();
    let cut_off = api.clone();
    let tenure = first.tenure();
    let lost = tokio::spawn(async move {
        let lost = first.keep().await;
        (lost, begun.elapsed().as_secs())
    });
    sleep(Duration::from_secs(5)).await;
    // Only the first one's requests get lost; the second one's come through.
    cut_off.faults(|_, call| {
        if call.0.starts_with("update") {
            Fault::Silent
        } else {
            Fault::None
        }
    });
    let (lost, after) = lost.await.unwrap();
    assert!(matches!(lost, LeaseError::NotRenewed { .. }), "{lost}");
    assert!(!tenure.holds());
    assert!(after < 5 + 15, "{after}");
    cut_off.faults(|_, _| Fault::None);
    leads(&mut second).await;
    assert_eq!(holder(&api), "second");
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn a_lease_that_another_has_taken_is_lost() {
    let api = api();
    let mut first = replica(&api, "first");
    leads(&mut first).await;
    api.edit("leases", "offhost-controller", |lease| {
        lease["spec"]["holderIdentity"] = serde_json::json!("usurper");
    });
    let lost = first.keep().await;
    assert_eq!(
        lost.to_string(),
        "the Lease 'offhost-controller' is held by 'usurper' now"
    );
    assert!(!first.tenure().holds());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_removed_is_made_again() {
    let api = api();
    let mut first = replica(&api, "first");
    leads(&mut first).await;
    api.delete("leases", "offhost-controller");
    assert!(timeout(Duration::from_secs(30), first.keep()).await.is_err());
    assert_eq!(holder(&api), "first");
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn an_answer_that_got_lost_costs_no_lease() {
    let api = api();
    let mut first = replica(&api, "first");
    leads(&mut first).await;
    api.faults(|number, _| if number % 4 == 0 { Fault::Lost } else { Fault::None });
    assert!(timeout(Duration::from_secs(60), first.keep()).await.is_err());
    assert_eq!(holder(&api), "first");
}
