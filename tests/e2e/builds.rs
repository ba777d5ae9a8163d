//! Git builds as Pods: real repositories, real packages with C code, real R.

mod by_ssh;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::release::{Release, another_namespace, make_directory};
use crate::{api, cluster};

const LIMIT: Duration = Duration::from_secs(240);

/// Tells of what it sees, in a file of its own archive.
const LOOKS: &str = r#"#!/bin/sh
mkdir -p inst
{
    echo "account $(id -u) $(id -g) $(id -G)"
    echo "nice $(nice)"
    echo "source $(touch /opt/offhost/build/source/x 2>/dev/null && echo written)"
    echo "root $(touch /x 2>/dev/null && echo written)"
    echo "tmp $TMPDIR $HOME $(ls -A /tmp | grep -v '^Rtmp' | head -n 1)"
    echo "token $(ls /var/run/secrets/kubernetes.io 2>/dev/null)"
    echo "settings $(ls /etc/rstudio-pm /var/lib/rstudio-pm /etc/offhost 2>/dev/null)"
    echo "server $(env | grep -c -e KUBERNETES -e OFFHOST -e POD_)"
    echo "capabilities $(grep CapEff /proc/self/status | cut -f2)"
} >inst/seen.txt
"#;

/// A repository that the builder can ask, with a package. `script` is run by `R CMD build` where it is called `cleanup`, and by
/// `R CMD INSTALL` where it is called `configure`.
fn repository(release: &Release, name: &str, (script, text): (&str, &str)) {
    let work = tempfile::tempdir().unwrap();
    let files = [
        (
            "DESCRIPTION",
            format!(
                "Package: {name}\nVersion: 1.0\nTitle: Praises\nDescription: It praises.\nLicense: MIT\nAuthor: Ada\n\
                 Maintainer: Ada <ada@example.com>\n"
            ),
        ),
        ("NAMESPACE", format!("useDynLib({name}, twice)\nexport(praise)\n")),
        ("R/praise.R", "praise <- function(x) .Call(twice, x)\n".to_owned()),
        (
            "src/twice.c",
            "#include <R.h>\n#include <Rinternals.h>\nSEXP twice(SEXP x) { return ScalarReal(2 * asReal(x)); }\n".to_owned(),
        ),
        (script, text.to_owned()),
    ];
    for (file, text) in files {
        let path = work.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    std::fs::set_permissions(work.path().join(script), std::fs::Permissions::from_mode(0o755)).unwrap();
    let git = |words: &[&str]| {
        let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
        cluster::run(Command::new("git").args(identity).args(words).current_dir(&work));
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message=first"]);
    git(&["tag", "v1.0"]);
    let bare = release.data.join("git-builds/repos").join(format!("{name}.git"));
    git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    cluster::run(Command::new("chown").args(["-R", "999:999"]).arg(&bare));
}

/// What a builder remembers of its only build, as soon as that is over.
fn over(release: &Release, name: &str) -> Value {
    let path = release.data.join(format!("git-builds/git/{name}.json"));
    let end = Instant::now() + LIMIT;
    loop {
        let known = std::fs::read(&path).ok();
        let known = known.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let builds = known.as_ref().and_then(|known| known["builds"].as_object());
        if let Some(build) = builds.and_then(|builds| builds.values().next())
            && build["state"] != "placing"
        {
            return build.clone();
        }
        assert!(Instant::now() < end, "{name}: {}", release.told());
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn archives(release: &Release, name: &str) -> Vec<PathBuf> {
    let directory = release.data.join("git-builds/packages").join(name);
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn member(archive: &Path, name: &str) -> String {
    cluster::run(Command::new("tar").arg("-xzOf").arg(archive).arg(name))
}

fn build_pods(release: &Release) -> Vec<Value> {
    let label = "?labelSelector=app.kubernetes.io%2Fcomponent%3Dbuild";
    api::list(&(api::core(&release.namespace, "pods") + label))
}

fn no_pod_is_left(release: &Release) {
    let end = Instant::now() + LIMIT;
    while !build_pods(release).is_empty() {
        assert!(Instant::now() < end, "{:?}", build_pods(release));
        std::thread::sleep(Duration::from_millis(500));
    }
    let left = release.data.join("git-builds/rspm-workspaces");
    let left: Vec<_> = std::fs::read_dir(left)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn install(release: &Release, builders: &Value, supervisor: &str) {
    install_with(release, builders, supervisor, &json!({}));
}

/// With further values of the builder.
fn install_with(release: &Release, builders: &Value, supervisor: &str, more: &Value) {
    let image = json!({
        "name": cluster::image("offhost-content"), "supervisor": supervisor,
        "r": {"installations": [{"version": "4.2.2", "path": "/usr/bin/R"}]},
    });
    let mut builder = json!({
        "enabled": true, "builders": builders,
        "config": {
            "Git": {"PollInterval": "2s", "BuildRetries": 1},
            "Scheduler": {"MemoryLimit": "256Mi", "MemoryRequest": "32Mi", "CPURequest": 0.05},
        },
    });
    for (key, value) in more.as_object().unwrap() {
        builder[key] = value.clone();
    }
    release.install(&json!({
        "crds": {"install": false}, "gateway": {"enabled": false}, "controller": {"replicas": 1},
        "runtimes": [image], "builder": builder,
    }));
}

fn builder(name: &str, more: &Value) -> Value {
    let url = format!("file:///var/lib/rstudio-pm/repos/{name}.git");
    let mut builder = json!({"name": name, "url": url});
    for (key, value) in more.as_object().unwrap() {
        builder[key] = value.clone();
    }
    builder
}

/// Proves: GB6 (P), GB4 (B), SV3 (P), SV3 (B), TD1 (P), SB4 (P), SB6 (P)
#[test]
fn packages_are_built_in_pods_and_their_failures_told() {
    if !cluster::there() {
        return;
    }
    let release = another_namespace("builds");
    make_directory(&release.data.join("git-builds"));
    make_directory(&release.data.join("git-builds/repos"));
    let hungry = "#!/bin/sh\npython3 -c 'x = bytearray(600 << 20); print(len(x))' || exit 1\n";
    for (name, script) in [
        ("praise", ("cleanup", LOOKS)),
        ("slow", ("cleanup", "#!/bin/sh\nsleep 300\n")),
        ("hungry", ("configure", hungry)),
        ("broken", ("cleanup", "#!/bin/sh\n")),
    ] {
        repository(&release, name, script);
    }
    let wrong = json!({"subdir": "src"});
    let builders = json!([
        builder("praise", &json!({"buildTrigger": "tags", "binary": true})),
        builder("slow", &json!({"timeout": "5s"})),
        builder("hungry", &json!({"binary": true})),
        builder("broken", &wrong),
    ]);
    install(&release, &builders, "/usr/bin/nice -n 3");

    let built = over(&release, "praise");
    assert_eq!(built["state"], "built", "{built}");
    let found = archives(&release, "praise");
    let names: Vec<_> = found
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names[0].starts_with("praise_1.0") && names[1].starts_with("praise_1.0"),
        "{names:?}"
    );
    let source = found
        .iter()
        .find(|path| path.ends_with("praise_1.0.tar.gz"))
        .unwrap();
    let seen = member(source, "praise/inst/seen.txt");
    let expected = "account 999 999 999\nnice 3\nsource \nroot \ntmp /tmp /tmp \ntoken \nsettings \nserver 0\n\
                    capabilities 0000000000000000\n";
    assert_eq!(seen, expected);
    let binary = found
        .iter()
        .find(|path| !path.ends_with("praise_1.0.tar.gz"))
        .unwrap();
    assert!(cluster::run(Command::new("tar").arg("-tzf").arg(binary)).contains("praise/libs/praise.so"));

    for (name, part) in [
        ("slow", "did not end within 5 s"),
        (
            "hungry",
            "more memory than its limit of 256Mi; raise Scheduler.MemoryLimit",
        ),
        ("broken", "there is no file DESCRIPTION"),
    ] {
        let failed = over(&release, name);
        let why = failed["why"].as_str().unwrap_or_default();
        assert!(
            failed["state"] == "failed" && why.contains(part),
            "{name}: {failed}"
        );
        assert!(archives(&release, name).is_empty(), "{name}");
    }
    no_pod_is_left(&release);
    api::delete(&format!("/api/v1/namespaces/{}", release.namespace));
}

/// Proves: GB6 (P)
#[test]
fn a_builder_that_is_killed_builds_again_and_never_twice_at_a_time() {
    if !cluster::there() {
        return;
    }
    let release = another_namespace("builds-killed");
    make_directory(&release.data.join("git-builds"));
    make_directory(&release.data.join("git-builds/repos"));
    repository(&release, "praise", ("cleanup", "#!/bin/sh\nsleep 15\n"));
    install(&release, &json!([builder("praise", &json!({}))]), "");
    let end = Instant::now() + LIMIT;
    let is_running =
        |pod: &Value| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
    let first = loop {
        if let Some(pod) = build_pods(&release).into_iter().find(is_running) {
            break pod;
        }
        assert!(Instant::now() < end, "{}", release.told());
        std::thread::sleep(Duration::from_millis(200));
    };
    let selector = "--selector=app.kubernetes.io/component=builder";
    cluster::run(
        release
            .kubectl()
            .args(["delete", "pod", "--force", "--grace-period=0", selector]),
    );
    // The same name, so that there can not be two; another Pod, once the first has ended.
    let name = first["metadata"]["name"].as_str().unwrap();
    loop {
        let pods = build_pods(&release);
        let of_source: Vec<&Value> = pods
            .iter()
            .filter(|pod| {
                pod["metadata"]["name"]
                    .as_str()
                    .is_some_and(|name| name.ends_with("-source"))
            })
            .collect();
        assert!(of_source.len() <= 1, "{of_source:?}");
        if of_source
            .iter()
            .any(|pod| is_running(pod) && pod["metadata"]["uid"] != first["metadata"]["uid"])
        {
            assert_eq!(of_source[0]["metadata"]["name"], name);
            break;
        }
        assert!(Instant::now() < end, "{}", release.told());
        std::thread::sleep(Duration::from_millis(200));
    }
    let built = over(&release, "praise");
    assert_eq!(built["state"], "built", "{built}");
    assert_eq!(archives(&release, "praise").len(), 1);
    no_pod_is_left(&release);
    api::delete(&format!("/api/v1/namespaces/{}", release.namespace));
}
