//! Logging in on a cluster: the chart's example for oauth2-proxy, with oauth2-proxy in the gateways' Pods and dex outside.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::app::{App, Way};
use crate::job::LATER;
use crate::outside::{Ingress, Running, fetched, gateways, own_address, visit};
use crate::release::{Release, another_namespace, config, copy, runtimes};
use crate::{api, cluster, support};

/// What dex and oauth2-proxy both know.
const CLIENT_SECRET: &str = "of this test alone";
/// As oauth2-proxy wants it: 32 bytes.
const COOKIE_SECRET: &str = "0123456789abcdef0123456789abcdef";

fn registry() -> String {
    std::env::var("OFFHOST_TEST_REGISTRY").unwrap()
}

#[track_caller]
fn has_registry() -> bool {
    std::env::var_os("OFFHOST_TEST_REGISTRY").is_some()
        || support::needs(
            "OFFHOST_TEST_REGISTRY",
            "no registry is named that takes the image of oauth2-proxy",
        )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// An image with oauth2-proxy and nothing else; gives its name in the cluster.
fn image(work: &Path) -> String {
    let program = PathBuf::from(fetched("oauth2-proxy"));
    let layer = work.join("layer.tar");
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(&layer).arg("--directory");
    cluster::run(tar.arg(program.parent().unwrap()).arg("oauth2-proxy"));
    let name = format!("{}/oauth2-proxy:test", registry());
    let crane = |arguments: &[&str]| cluster::run(Command::new("crane").arg("--insecure").args(arguments));
    crane(&[
        "append",
        "--new_layer",
        layer.to_str().unwrap(),
        "--new_tag",
        &name,
    ]);
    crane(&[
        "mutate",
        &name,
        "--tag",
        &name,
        "--entrypoint=/oauth2-proxy",
        "--set-platform=linux/amd64",
    ]);
    cluster::image("oauth2-proxy")
}

/// dex, where it can be reached as `issuer`.
fn dex(work: &Path, issuer: &str, address: &str) -> Running {
    let people = std::fs::read_to_string(cluster::repository("tests/fixtures/people.json")).unwrap();
    let mut config: Value = serde_json::from_str(&people).unwrap();
    config["issuer"] = issuer.into();
    config["web"] = json!({"http": issuer.trim_start_matches("http://")});
    config["staticClients"] = json!([{
        "id": "offhost", "name": "offhost", "secret": CLIENT_SECRET,
        "redirectURIs": [format!("{address}/oauth2/callback")],
    }]);
    let file = work.join("dex.json");
    std::fs::write(&file, config.to_string()).unwrap();
    Running::begin(
        Command::new(fetched("dex"))
            .arg("serve")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )
}

/// The example, with other places.
fn values(issuer: &str, address: &str, image: &str) -> Value {
    let example = cluster::repository("examples/cluster/log-in-values.yaml");
    let mut text = std::fs::read_to_string(example).unwrap();
    for (there, here) in [
        ("https://log-in.example.com", issuer),
        ("https://content.example.com", address),
        ("quay.io/oauth2-proxy/oauth2-proxy:v7.15.2", image),
    ] {
        assert!(text.contains(there), "{there}");
        text = text.replace(there, here);
    }
    let mut values: Value = serde_yaml::from_str(&text).unwrap();
    for (name, section) in config().as_object().unwrap() {
        values["config"][name] = section.clone();
    }
    values["runtimes"] = runtimes();
    values["crds"] = json!({"install": false});
    values["controller"] = json!({"replicas": 1});
    values
}

fn make_secret(release: &Release) {
    cluster::run(release.kubectl().args([
        "create",
        "secret",
        "generic",
        "log-in",
        "--from-literal=client-id=offhost",
        &format!("--from-literal=client-secret={CLIENT_SECRET}"),
        &format!("--from-literal=cookie-secret={COOKIE_SECRET}"),
    ]));
}

/// Applications that say what they are told of their visitor; they go when they are dropped.
fn deploy(release: &Release) -> [App<'_>; 3] {
    copy(
        &cluster::repository("tests/serve/echo"),
        &release.incoming("echo"),
    );
    let named = |users: &[&str], groups: &[&str]| json!({"type": "Named", "users": users, "groups": groups});
    let apps = [
        ("echo", None),
        ("sales", Some(named(&[], &["sales"]))),
        ("bobs", Some(named(&["bob@example.org"], &[]))),
    ];
    apps.map(|(name, access)| {
        let mut spec = json!({"bundle": {"path": "echo"}, "minProcesses": 1});
        if let Some(access) = access {
            spec["access"] = access;
        }
        let app = release.try_app(name, &spec).unwrap();
        app.wait_for(LATER, "running", |app| app["status"]["readyProcesses"] == 1);
        app
    })
}

/// Proves: PR1 (P), OH4 (P)
#[test]
fn a_visitor_logs_in_and_out_at_the_gateways_of_the_charts_example() {
    let may_run = cluster::there()
        && has_registry()
        && support::needs("OFFHOST_TEST_BROWSER", "it logs in with Chromium");
    if !may_run {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let issuer = format!("http://{}:{}", own_address(), free_port());
    let port = free_port();
    let address = format!("https://127.0.0.1:{port}");
    let _dex = dex(work.path(), &issuer, &address);
    let release = another_namespace("log-in");
    make_secret(&release);
    release.install(&values(&issuer, &address, &image(work.path())));
    let _apps = deploy(&release);

    let gateways = gateways(&release, 4180);
    assert!(gateways.len() > 1, "the chart runs two gateways");
    let keys = cluster::repository("tests/fixtures/tls");
    let _ingress = Ingress::begin(port, &gateways, Some(&keys));
    let said = visit("browse_login.js", &[&address, &issuer]);
    assert_eq!(said.matches("ok ").count(), 6, "{said}");

    // Nobody gets past the proxy: the gateway listens for it alone.
    let pod = &api::list(&Way::gateway_pods(&release))[0];
    let straight = (pod["status"]["podIP"].as_str().unwrap(), 3939);
    assert!(TcpStream::connect(straight).is_err());
}
