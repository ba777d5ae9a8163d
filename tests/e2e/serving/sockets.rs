//! WebSockets on a cluster (PR1, OH2).

use serde_json::json;

use crate::app::{Socket, Way};
use crate::release::{another, config, runtimes};
use crate::{api, cluster};

/// How many are open, unless `OFFHOST_TEST_SOCKETS` says.
const SOCKETS: usize = 100;

/// Echoes what it is sent, after its process id.
const ECHO: &str = r#"import os


async def app(scope, receive, send):
    assert scope["type"] in ("http", "websocket")
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": f"{os.getpid()} {message['text']}"})
"#;

/// Proves: PR1 (P), OH2 (P), SC6 (P)
#[test]
fn sockets_outlive_a_rolling_restart_of_the_gateways() {
    if !cluster::there() {
        return;
    }
    let count = std::env::var("OFFHOST_TEST_SOCKETS").map_or(SOCKETS, |count| count.parse().unwrap());
    let gateway = json!({"preStopSeconds": 1});
    let release = another(
        "rolling",
        &json!({"runtimes": runtimes(), "config": config(), "gateway": gateway}),
    );
    let manifest = json!({
        "version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app"},
        "python": {"version": "3.11.2"}, "files": {},
    });
    release.bundle(
        "echo",
        &[("app.py", ECHO), ("manifest.json", &manifest.to_string())],
    );
    let spec = json!({
        "bundle": {"path": "echo"}, "maxProcesses": 1, "maxConnectionsPerProcess": count * 2 + 10,
        "idleTimeoutSeconds": 60,
    });
    let app = release.try_app("echo", &spec).unwrap();
    app.says("Ready", "True", "Accepted");
    let before = Way::to_gateways(&release);
    assert_eq!(before.len(), 2);
    before[0].until("/content/echo/", |answer| answer.status == 200);
    let open = |ways: &[Way]| -> Vec<Socket> {
        (0..count)
            .map(|number| ways[number % ways.len()].socket("/content/echo/", ""))
            .collect()
    };
    let mut sockets = open(&before);
    let first = sockets[0].echo("one");
    let begun = std::time::Instant::now();
    cluster::run(
        release
            .kubectl()
            .args(["rollout", "restart", "deployment/offhost-gateway"]),
    );
    let status = [
        "rollout",
        "status",
        "deployment/offhost-gateway",
        "--timeout=120s",
    ];
    cluster::run(release.kubectl().args(status));
    let after = Way::to_gateways(&release);
    let mut later = open(&after);
    // Long enough that whatever a drain would cut is cut.
    std::thread::sleep(std::time::Duration::from_secs(5));
    for socket in sockets.iter_mut().chain(&mut later) {
        assert_eq!(socket.echo("one"), first, "the same process");
    }
    println!(
        "{count} sockets and {count} new ones are there {:?} after the restart began",
        begun.elapsed()
    );
    drop(sockets);
    drop(before);
    app.wait("without the old gateways", |_| {
        api::list(&Way::gateway_pods(&release)).len() == 2
    });
    for socket in &mut later {
        assert_eq!(socket.echo("one"), first);
    }
}
