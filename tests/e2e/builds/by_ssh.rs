//! A builder that reaches its repositories by ssh, with a key of a Secret, and what a person does in its Pod.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;

use super::{LIMIT, LOOKS, archives, install_with, no_pod_is_left, over, repository};
use crate::outside::{Running, own_address};
use crate::release::{Release, another_namespace, make_directory};
use crate::{api, cluster};

const SERVER: &str = "/usr/sbin/sshd";

/// A server of ssh where Pods reach it, with its keys in a directory.
struct Ssh {
    _server: Running,
    place: String,
}

impl Ssh {
    fn begin(work: &Path) -> Self {
        assert!(
            std::fs::exists(SERVER).unwrap(),
            "{SERVER} is missing; run scripts/setup --tests"
        );
        for name in ["host", "key"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            cluster::run(command.arg(work.join(name)));
        }
        // As the service makes it, which does not run here.
        std::fs::create_dir_all("/run/sshd").unwrap();
        let address = own_address();
        let free = TcpListener::bind((address.as_str(), 0)).unwrap();
        let place = free.local_addr().unwrap().to_string();
        drop(free);
        let port = place.rsplit(':').next().unwrap();
        let config = work.join("config");
        // The repositories are those of the builder's account.
        let text = format!(
            "Port {port}\nListenAddress {address}\nHostKey {0}/host\nAuthorizedKeysFile {0}/key.pub\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             SetEnv GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*\n",
            work.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(SERVER);
        command.args(["-D", "-f"]).arg(&config).stderr(Stdio::null());
        let server = Running::begin(&mut command);
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(&place).is_err() {
            assert!(Instant::now() < end, "{command:?} does not listen");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Self {
            _server: server,
            place,
        }
    }

    fn known_hosts(&self, work: &Path) -> String {
        let key = std::fs::read_to_string(work.join("host.pub")).unwrap();
        let (address, port) = self.place.rsplit_once(':').unwrap();
        format!("[{address}]:{port} {key}")
    }

    fn url(&self, release: &Release, name: &str) -> String {
        let repositories = release.data.join("git-builds/repos");
        format!("ssh://root@{}{}/{name}.git", self.place, repositories.display())
    }
}

/// In the builder's Pod; what it says, and its exit code.
fn inside(release: &Release, words: &[&str]) -> (String, Option<i32>) {
    let command = ["exec", "deployment/offhost-builder", "--", "offhost"];
    let output = cluster::try_run(release.kubectl().args(command).args(words));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (said.concat(), output.status.code())
}

/// Proves: GB6 (P), GB1 (B)
#[test]
fn a_repository_is_reached_by_ssh_and_a_person_builds_in_the_same_pod() {
    if !cluster::there() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let ssh = Ssh::begin(work.path());
    let release = another_namespace("builds-ssh");
    make_directory(&release.data.join("git-builds"));
    make_directory(&release.data.join("git-builds/repos"));
    repository(&release, "praise", ("cleanup", LOOKS));
    let url = ssh.url(&release, "praise");
    let secret = format!("--from-file=praise={}", work.path().join("key").display());
    cluster::run(
        release
            .kubectl()
            .args(["create", "secret", "generic", "git-credentials", &secret]),
    );
    let key = "/etc/offhost/keys/praise";
    install_with(
        &release,
        &json!([{"name": "praise", "url": url, "sshKey": key}]),
        "",
        &json!({"gitSecret": "git-credentials", "knownHosts": ssh.known_hosts(work.path())}),
    );
    let built = over(&release, "praise");
    assert_eq!(built["state"], "built", "{built}");
    assert_eq!(archives(&release, "praise").len(), 1);

    let (said, code) = inside(&release, &["doctor", "--builder"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4.2.2"), "{said}");

    let output = "/var/lib/rstudio-pm/by-hand";
    make_directory(&release.data.join("git-builds/by-hand"));
    let by_hand = ["build", &url, "--ssh-key", key, "--output", output];
    let (said, code) = inside(&release, &by_hand);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("{output}/praise_1.0.tar.gz")), "{said}");
    assert!(release.data.join("git-builds/by-hand/praise_1.0.tar.gz").exists());

    // Without the key it is told that the server wants one.
    let (said, code) = inside(&release, &["build", &url, "--output", output]);
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains("--ssh-key"), "{said}");
    no_pod_is_left(&release);
    api::delete(&format!("/api/v1/namespaces/{}", release.namespace));
}
