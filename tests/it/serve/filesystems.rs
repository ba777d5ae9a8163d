//! The state on file systems where SQLite loses data: a real one of FUSE, which the kernel tells apart as it does those of
//! the network.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::may_run;
use super::site::free_port;
use crate::faults::place::{Place, write};

const FUSE: &str = include_str!("fuse.py");

/// Mounts a file system in a namespace of its own, which ends with this process.
fn mount(place: &Place, path: &str) -> Child {
    let program = place.path("bin/fuse.py");
    write(&program, FUSE, 0o644);
    let mut holder = Command::new("unshare")
        .args(["--mount", "python3"])
        .arg(&program)
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare is there");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("it is a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("it is text");
    assert_eq!(line, "ready\n", "it is mounted");
    holder
}

/// Proves: CN3 (L)
#[test]
fn a_state_on_fuse_is_refused_before_anything_is_written() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let bundle = place.notebook("report", "0", "");
    let directory = place.path("database");
    std::fs::create_dir(&directory).unwrap();
    let directory = directory.display().to_string();
    let (port, admin) = (free_port(), free_port());
    place.configure(&format!(
        "[HTTP]\nListen = 127.0.0.1:{port}\n[SQLite]\nDir = {directory}"
    ));
    let mut holder = mount(&place, &directory);
    let place = place.within(holder.id());
    std::fs::create_dir_all(place.path("config/content.d")).unwrap();
    let admin = format!("127.0.0.1:{admin}");
    for words in [&["serve", "--admin-listen", &admin][..], &["run", &bundle]] {
        let done = place.run(words);
        assert_ne!(done.code, 0, "{words:?}");
        let said = done.error();
        assert!(
            said.contains(&format!("'{directory}' is on a network file system (FUSE)"))
                && said.contains("Database.Provider to postgres"),
            "{words:?}: {said}"
        );
    }
    place.assert_nothing_left();
    drop(holder.stdin.take());
    let _ = holder.wait();
}
