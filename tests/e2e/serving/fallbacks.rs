//! Shiny where WebSockets fail, on a cluster.

use serde_json::json;

use crate::cluster;
use crate::job::LATER;
use crate::outside::{Ingress, gateways, visit};
use crate::release::{copy, shared};

/// The library `sockjs-client`, whose requests each go to another gateway than the one before.
///
/// Proves: PR2 (P), OH2 (P)
#[test]
fn a_session_by_requests_holds_whichever_gateway_gets_them() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    copy(
        &cluster::repository("tests/serve/shiny"),
        &release.incoming("fallbacks"),
    );
    let spec = json!({"bundle": {"path": "fallbacks"}, "idleTimeoutSeconds": 60});
    let app = release.try_app("fallbacks", &spec).unwrap();
    app.says("Ready", "True", "Accepted");
    release
        .gateway()
        .until_for(LATER, "/content/fallbacks/", |answer| answer.status == 200);
    let gateways = gateways(release, 3939);
    assert!(gateways.len() > 1, "the chart runs two gateways");
    let ingress = Ingress::begin(0, &gateways, None);
    let address = format!("http://127.0.0.1:{}/content/fallbacks/", ingress.port);
    let said = visit("peer_sockjs.js", &[&address]);
    assert_eq!(said.matches("ok ").count(), 4, "{said}");
}
