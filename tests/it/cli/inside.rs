//! What a process sees, in real runs as another account.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::bad_accounts::with_accounts;
use super::place::{Call, Outcome, Place};
use crate::support::needs;

const ROOT: &str = "it runs jobs as another account";

/// Runs this line of shell as a job; `more` are lines of the job's spec.
fn run(place: &Place, line: &str, more: &str) -> Call {
    let job = place.shell_job(line, more);
    place.offhost(["run".as_ref(), job.as_os_str()])
}

/// The value of a variable that `env` printed.
fn variable<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a str> {
    outcome
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// Proves: EN1 (L), EN2 (L), TD1 (L), TD2 (L)
#[test]
fn the_environment_is_the_accounts_and_the_servers() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    let call = |place: &Place| {
        run(
            place,
            "env; ls -A $TMPDIR; stat -c mode=%a,%U $TMPDIR; touch $TMPDIR/x",
            "",
        )
        .env("OF_THE_SERVER", "yes")
        .env("HOME", "/root")
        .env("USER", "root")
        .env("OFFHOST_SANDBOX_MASKTMP", "false")
        .go()
    };
    let inherited = call(&place);
    inherited.succeeded();
    for name in ["USER", "USERNAME", "LOGNAME"] {
        assert_eq!(variable(&inherited, name), Some("rstudio-connect"), "{name}");
    }
    assert!(variable(&inherited, "HOME").is_some_and(|home| home != "/root"));
    assert_eq!(variable(&inherited, "OF_THE_SERVER"), Some("yes"));
    assert_eq!(variable(&inherited, "PATH"), Some(super::place::PATH));
    assert!(
        !inherited.stdout.contains("OFFHOST_"),
        "settings are the server's own"
    );
    let tmp = variable(&inherited, "TMPDIR").unwrap().to_owned();
    assert!(tmp.starts_with(&place.text("tmp/connect-workspaces/")), "{tmp}");
    assert!(
        inherited.stdout.ends_with("mode=700,rstudio-connect\n"),
        "it is new and empty\n{inherited:?}"
    );
    assert!(!std::path::Path::new(&tmp).exists(), "it is removed afterwards");
    place.configure("[Applications]\nInheritSystemEnvVars = false");
    let alone = call(&place);
    alone.succeeded();
    assert_eq!(variable(&alone, "OF_THE_SERVER"), None);
    assert_eq!(variable(&alone, "PATH"), Some(super::place::PATH));
    assert_eq!(variable(&alone, "USER"), Some("rstudio-connect"));
    assert_ne!(
        variable(&alone, "TMPDIR"),
        Some(tmp.as_str()),
        "each process has its own"
    );
}

/// Proves: EN4 (L)
#[test]
fn content_sets_variables_but_for_those_it_may_not() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    place.configure(
        "[Applications]\nProhibitedEnvironment = LD_PRELOAD\nProhibitedEnvironment = R_CONFIG_ACTIVE",
    );
    let secret = place.file("etc/secrets/db/password", "s3cret-value\n");
    let env = "env:\n- {name: PLAIN, value: a b}\n- {name: PW, valueFrom: {secretKeyRef: {name: db, key: password}}}";
    let open = place.refused_late(
        run(&place, "env", env),
        65,
        &["etc/secrets/db/password", "chmod 0600"],
    );
    assert!(!open.contains("s3cret-value"));
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let outcome = run(&place, "env; cat /proc/self/cmdline | tr '\\0' ' '", env).go();
    outcome.succeeded();
    assert_eq!(variable(&outcome, "PLAIN"), Some("a b"));
    assert_eq!(variable(&outcome, "PW"), Some("s3cret-value"));
    let kept = place.data();
    let tells = |(path, text): (&std::path::PathBuf, &String)| {
        (path.extension().is_none_or(|end| end != "log") && text.contains("s3cret-value"))
            .then(|| path.clone())
    };
    assert_eq!(
        kept.iter().find_map(tells),
        None,
        "a secret is kept nowhere but where the process prints it"
    );
    for (name, words) in [
        (
            "LD_PRELOAD",
            &[
                "'LD_PRELOAD'",
                "Applications.ProhibitedEnvironment",
                "remove it from spec.env",
            ][..],
        ),
        (
            "HOME",
            &["'HOME'", "the server sets it", "remove it from spec.env"],
        ),
        ("OFFHOST_SERVER_DATADIR", &["settings of the server"]),
        ("A=B", &["'A=B'", "letters, digits"]),
    ] {
        let call = run(&place, "env", &format!("env: [{{name: '{name}', value: x}}]"));
        place.refused(call, 65, words);
    }
    let gone = "env: [{name: PW, valueFrom: {secretKeyRef: {name: db, key: gone}}}]";
    place.refused_late(
        run(&place, "env", gone),
        65,
        &[
            "PW",
            "key gone of Secret db",
            "secrets/db/gone",
            "write the value there",
        ],
    );
}

/// Proves: EN5 (L)
#[test]
fn r_content_has_its_active_configuration() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.program(
        "bin/R",
        "#!/bin/sh\necho 'R version 4.4.1 (2024-06-14) -- \"Race for Your Life\"'\n",
    );
    place.configure(&format!("[R]\nExecutable = {}", place.text("bin/R")));
    let with_r = "runtime: {r: '>=4'}\n";
    let active = |call: Call| {
        let outcome = { call }.env("R_CONFIG_ACTIVE", "of-the-server").go();
        variable(outcome.succeeded(), "R_CONFIG_ACTIVE").map(str::to_owned)
    };
    assert_eq!(active(run(&place, "env", with_r)).as_deref(), Some("rsconnect"));
    let own = format!("{with_r}env: [{{name: R_CONFIG_ACTIVE, value: own}}]");
    assert_eq!(active(run(&place, "env", &own)).as_deref(), Some("own"));
    place.configure("[R]\nConfigActive = production");
    assert_eq!(active(run(&place, "env", with_r)).as_deref(), Some("production"));
}

/// Proves: RA4 (L), SV3 (L), EN5 (L), PK10 (L)
#[test]
fn packages_are_installed_as_the_default_account_under_the_supervisor() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    place.program(
        "bin/R",
        "#!/bin/sh\ncase \" $* \" in *\" --packages \"*) ;; *) echo 'R version 4.4.1 (2024-06-14)'; exit ;; esac\n\
         echo \"installs: $(id -un) ${R_CONFIG_ACTIVE-unset} ${OWN-unset} $(ls -d ~/x /opt/rstudio-connect/mnt/report 2>&1 | grep -c cannot)\" >&2\nexit 3\n",
    );
    let supervisor = place.program(
        "bin/supervisor",
        "#!/bin/sh\necho \"supervised: $(id -un)\" >&2\nexec \"$@\"\n",
    );
    place.configure(&format!(
        "[Applications]\nRunAs = run\nSupervisor = {}\n[R]\nExecutable = {}\n[RPackageRepository \"CRAN\"]\nURL = file://{}",
        supervisor.display(),
        place.text("bin/R"),
        place.text("work")
    ));
    let report = crate::repository::root().join("tests/fixtures/bundles/rmd-report");
    let job = place.job(
        "report",
        &format!(
            "content: report\nbundle: {{path: {}}}\nrunAs: ana\nenv: [{{name: OWN, value: x}}]",
            report.display()
        ),
    );
    let passwd = "root:x:0:0::/root:/bin/sh\nrun:x:61000:61000::/:/bin/sh\nana:x:61003:61000::/:/bin/sh\n";
    let call = place
        .offhost(["run".as_ref(), job.as_os_str()])
        .env("R_CONFIG_ACTIVE", "of-the-server");
    let outcome = with_accounts(&place, call, passwd, "root:x:0:\nrun:x:61000:\n").go();
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(3), ""),
        "{outcome:?}"
    );
    for words in [
        "\nsupervised: run\n",
        "\ninstalls: run unset unset 2\n",
        "packages could not be installed: the installation ended with exit code 3; its output is in ",
    ] {
        assert!(outcome.stderr.contains(words), "{words:?} is not in {outcome:?}");
    }
    let (_, log) = outcome
        .stderr
        .trim_end()
        .rsplit_once("its output is in ")
        .unwrap();
    assert!(
        fs::read_to_string(log).unwrap().contains("installs: run"),
        "{log}"
    );
    assert!(
        !place.path("data/reports/v2/report/default/1").exists(),
        "an unfinished result is gone"
    );
}

/// Proves: FS1 (L), FS4 (L), PW1 (L), RD1 (L)
#[test]
fn a_process_sees_its_own_directories_and_nothing_else_of_the_server() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    place.file("tmp/connect-workspaces-other", "");
    let (data, etc, workspaces) = (
        place.text("data"),
        place.text("etc"),
        place.text("tmp/connect-workspaces"),
    );
    let outcome = run(
        &place,
        &format!(
            "pwd; ls; ls /opt/rstudio-connect/mnt; echo x >new; echo kept >../log/trace; \
             echo x 2>/dev/null >/opt/offhost/runtime/x || echo read-only; \
             ls -A {data} {etc} /etc/rstudio-connect 2>/dev/null | grep -vc ':$\\|^$'; cat {data}/apps/seed/1/seed.qmd 2>&1 | tail -c 26; \
             ls -A {workspaces} | wc -l"
        ),
        "",
    )
    .go();
    assert_eq!(
        outcome.succeeded().stdout,
        "/opt/rstudio-connect/mnt/app\ndata.txt\napp\nlog\nread-only\n0\nNo such file or directory\n1\n",
        "{outcome:?}"
    );
    let left: Vec<String> = place
        .data()
        .into_keys()
        .map(|path| path.display().to_string())
        .collect();
    assert!(
        !left
            .iter()
            .any(|path| path.contains("temp.render.") || path.ends_with("/new")),
        "{left:?}"
    );
    assert!(left.iter().any(|path| path.ends_with("/log/trace")), "{left:?}");
    assert_eq!(
        fs::read_dir(place.path("tmp/connect-workspaces"))
            .unwrap()
            .count(),
        0
    );
}

/// Proves: FS2 (L)
#[test]
fn masked_temporary_directories_are_the_process_own() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    // With the place itself in /tmp, everything that is shown lies below what is covered.
    let marks = ["/tmp", "/var/tmp"].map(|directory| tempfile::NamedTempFile::new_in(directory).unwrap());
    let line = format!(
        "for mark in {} {}; do test -e $mark && echo seen; done; echo x >/tmp/one; ls $TMPDIR /var/tmp | grep -c one; cat data.txt",
        marks[0].path().display(),
        marks[1].path().display()
    );
    assert_eq!(
        run(&place, &line, "").go().succeeded().stdout,
        "seen\nseen\n0\ndata\n"
    );
    fs::remove_file("/tmp/one").unwrap();
    place.configure("[Sandbox]\nMaskTmp = true");
    assert_eq!(run(&place, &line, "").go().succeeded().stdout, "2\ndata\n");
    assert!(!std::path::Path::new("/tmp/one").exists());
}

/// Proves: FS5 (L), EN1 (L)
#[test]
fn homes_are_covered_by_the_accounts_own() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.configure("[Applications]\nRunAs = run");
    let passwd = "root:x:0:0::/root:/bin/sh\nrun:x:61000:61000::/home/run:/bin/sh\nben:x:61004:61000::/home/none:/bin/sh\n";
    let group = "root:x:0:\nrun:x:61000:\n";
    let homes = "mount -t tmpfs tmpfs /home\nmkdir /home/run /home/ana\necho own >/home/run/note\necho other >/home/ana/note\n\
                 chown -R 61000:61000 /home/run";
    let see = |place: &Place, account: &str| {
        let call = run(
            place,
            "echo $HOME; ls /home; cat $HOME/note; touch $HOME/new && echo written",
            &format!("runAs: {account}\n"),
        );
        let outcome = with_accounts(place, call, passwd, group).after(homes).go();
        outcome.stdout
    };
    assert_eq!(see(&place, "run"), "/home/run\nana\nrun\nown\nwritten\n");
    place.configure("[Applications]\nHomeMounting = true");
    assert_eq!(see(&place, "run"), "/home\nnote\nown\nwritten\n");
    assert_eq!(
        see(&place, "ben"),
        "/home\n",
        "an account without a home has an empty, read-only one"
    );
}

/// Proves: SB6 (L), SB8 (L), PK8 (L)
#[test]
fn a_process_has_no_rights_and_its_end_is_reported_as_it_was() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let outcome = run(
        &place,
        "grep -E '^(NoNewPrivs|CapEff|CapBnd|Seccomp):' /proc/self/status; ls /proc/self/fd | wc -l",
        "",
    )
    .go();
    assert_eq!(
        outcome.succeeded().stdout,
        "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n4\n"
    );
    for (line, code) in [
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        let outcome = run(&place, line, "").go();
        assert_eq!(outcome.code, Some(code), "{line}: {outcome:?}");
        assert!(outcome.stderr.contains("its output is in "), "{outcome:?}");
    }
    let slow = run(&place, "sleep 60", "timeoutSeconds: 1\n").go();
    slow.refused(124, &["time of 1 s was over", "spec.timeoutSeconds"]);
    let bytes = run(&place, "printf '\\001\\377\\n'; printf 'no end' >&2", "")
        .command()
        .output()
        .unwrap();
    assert_eq!(bytes.stdout, b"\x01\xff\n");
}
