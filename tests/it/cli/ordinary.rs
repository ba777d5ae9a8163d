//! An ordinary user runs local mode alone (SB9): their own account, everything in their home, no rights.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;

use super::bad_accounts::with_accounts;
use super::place::{Call, NOBODY, OFFHOST, Place, tree};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights";

/// A person with a home, for whom the machine knows an account or not.
pub(super) struct Person {
    place: Place,
}

impl Person {
    pub(super) fn new() -> Self {
        let place = Place::new();
        let home = place.path("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        for program in ["offhost", "offhost-exec"] {
            fs::copy(
                PathBuf::from(OFFHOST).with_file_name(program),
                place.path("bin").join(program),
            )
            .unwrap();
        }
        Self { place }
    }

    /// A path below the person's home.
    pub(super) fn home(&self, name: &str) -> PathBuf {
        self.place.path("home").join(name)
    }

    pub(super) fn offhost(&self, words: &[&str]) -> Call {
        let mut call = Call::new(self.place.path("bin/offhost"))
            .under(NOBODY, NOBODY)
            .env("HOME", &self.place.text("home"))
            .env("OFFHOST_QUARTO_EXECUTABLE", &self.place.text("bin/quarto"));
        call.arguments(words);
        call
    }

    /// The same where the account has a name.
    fn with_name(&self, call: Call) -> Call {
        let passwd = format!(
            "root:x:0:0::/root:/bin/sh\nada:x:{NOBODY}:{NOBODY}::{}:/bin/sh\nben:x:61004:{NOBODY}::/:/bin/sh\n",
            self.place.text("home")
        );
        with_accounts(
            &self.place,
            call,
            &passwd,
            &format!("root:x:0:\nada:x:{NOBODY}:\n"),
        )
    }
}

/// Proves: SB9 (L), EN1 (L), FS1 (L)
#[test]
fn a_job_runs_as_its_person_with_everything_in_the_home() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let person = Person::new();
    let data = person.home(".local/share/offhost");
    let line = format!(
        "id -u; id -g; echo $USER; echo $HOME; ls -A {} | wc -l; ls -A {} | wc -l; grep CapEff /proc/self/status; exit 3",
        data.display(),
        person.home(".cache/offhost/connect-workspaces").display()
    );
    let job = person.place.shell_job(&line, "");
    let outcome = person
        .with_name(person.offhost(&["run", job.to_str().unwrap()]))
        .go();
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let home = person.home("").display().to_string();
    assert_eq!(
        outcome.stdout,
        format!(
            "{NOBODY}\n{NOBODY}\nada\n{}\n0\n1\nCapEff:\t0000000000000000\n",
            home.trim_end_matches('/')
        ),
        "{outcome:?}"
    );
    assert_eq!(
        fs::metadata(person.home(".cache/offhost")).unwrap().mode() & 0o777,
        0o700
    );
    assert!(tree(&person.home(".cache/offhost/connect-workspaces")).is_empty());
}

/// Proves: SB9 (L), RD2 (L), RD3 (L)
#[test]
fn a_result_is_made_served_and_listed_without_an_account_or_a_right() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let person = Person::new();
    let document = person.place.document("page");
    fs::set_permissions(
        person.place.path("canary"),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let outcome = person.offhost(&["run", document.to_str().unwrap()]).go();
    let result = PathBuf::from(outcome.succeeded().last_line());
    assert_eq!(
        result,
        person.home(".local/share/offhost/reports/v2/page/default/1/page.html"),
        "{outcome:?}"
    );
    assert!(
        fs::read_to_string(&result)
            .unwrap()
            .starts_with("<p>result of page.qmd</p>")
    );
    assert_eq!(fs::metadata(&result).unwrap().uid(), NOBODY);
    let again = person
        .offhost(&["run", document.to_str().unwrap(), "--no-activate"])
        .go();
    assert!(
        again.succeeded().last_line().ends_with("default/2/page.html"),
        "{again:?}"
    );
    let listed = person.offhost(&["content", "results", "page"]).go();
    let rows: Vec<&str> = listed.succeeded().stdout.lines().collect();
    assert!(
        rows[1].contains("served") && rows[2].contains("kept"),
        "{listed:?}"
    );
    person.offhost(&["content", "remove", "page"]).go().succeeded();
    assert!(!result.exists());
}

/// Proves: SB9 (L), RA2 (L)
#[test]
fn what_needs_root_says_so() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let person = Person::new();
    let job = person.place.canary_job();
    let job = job.to_str().unwrap();
    for (account, words) in [
        (
            "ben",
            &["'ben'", "another account than yours ('ada')", "only root"][..],
        ),
        ("61004", &["'61004'", "only root"]),
        ("root", &["root never runs content"]),
        ("gone", &["'gone'", "not known to this machine"]),
    ] {
        let outcome = person
            .with_name(person.offhost(&["run", job, "--run-as", account]))
            .go();
        outcome.refused(77, words);
        assert!(!person.place.has_run());
    }
    let own = person
        .with_name(person.offhost(&["run", job, "--run-as", "ada"]))
        .go();
    own.succeeded();
    assert!(person.place.has_run());
}

/// Proves: SB9 (L), TD3 (L)
#[test]
fn the_systems_temporary_files_are_left_to_their_owner() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let person = Person::new();
    let job = person.place.canary_job();
    fs::create_dir(person.place.path("tmp/connect-workspaces")).unwrap();
    let call = person
        .offhost(&["run", job.to_str().unwrap()])
        .env("TMPDIR", &person.place.text("tmp"));
    let outcome = { call }.go();
    outcome.refused(
        65,
        &[
            "Server.TempDir",
            "connect-workspaces",
            "another account owns",
            "set another",
        ],
    );
    assert!(!person.place.has_run());
}

/// Proves: SB9 (L), FS5 (L), TD1 (L)
#[test]
fn a_home_that_covers_the_others_still_has_its_temporary_directory() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let person = Person::new();
    let line = "echo $HOME; echo x >$TMPDIR/x && ls $TMPDIR; ls -A /home | grep -v '^\\.'; ls -A /home/.local/share/offhost | wc -l";
    let job = person.place.shell_job(line, "");
    let home = person.place.text("home");
    let passwd = format!("root:x:0:0::/root:/bin/sh\nada:x:{NOBODY}:{NOBODY}::/home/ada:/bin/sh\n");
    let call = person
        .offhost(&["run", job.to_str().unwrap()])
        .env("HOME", "/home/ada")
        .env("OFFHOST_APPLICATIONS_HOMEMOUNTING", "true");
    let outcome = with_accounts(&person.place, call, &passwd, "root:x:0:\n")
        .after(&format!(
            "mount -t tmpfs tmpfs /home\nmkdir /home/ada /home/ben\nmount --bind {home} /home/ada\ntouch /home/ada/own\nchown {NOBODY} /home/ada/own"
        ))
        .go();
    assert_eq!(outcome.succeeded().stdout, "/home\nx\nown\n0\n", "{outcome:?}");
    assert!(tree(&person.home(".cache/offhost/connect-workspaces")).is_empty());
    assert!(
        !person.home("ada").exists(),
        "nothing is left in the home\n{outcome:?}"
    );
}
