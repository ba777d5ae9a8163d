//! What another process of the same account can read of the passwords that are kept: nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use offhost::local::pam::Credentials;
use zeroize::Zeroizing;

use super::may_run;

/// Set in the process that keeps the password; its value says what it does then.
const CHILD: &str = "OFFHOST_TEST_PAM_CACHE";
const OWN_NAME: &str = "pam::cache::nobody_reads_the_passwords_that_are_kept";
/// The password, which stands nowhere as it is.
const HIDDEN: [u8; 24] =
    *b"\x39\x35\x28\x28\x3f\x39\x2e\x7a\x32\x35\x28\x29\x3f\x7a\x38\x3b\x2e\x2e\x3f\x28\x23\x7a\x29\x2e";
const MASK: u8 = 0x5a;
/// Tries every way into the process that its account could open.
const ATTACK: &str = r#"
import ctypes, os, sys
pid = int(sys.argv[1])
found = []
for name in "mem environ maps smaps auxv stack io exe cwd root fd/0 map_files".split():
    path = f"/proc/{pid}/{name}"
    try:
        if name in ("exe", "cwd", "root", "fd/0"):
            os.readlink(path)
        elif name == "map_files":
            [os.readlink(f"{path}/{one}") for one in os.listdir(path)]
        else:
            with open(path, "rb") as file:
                file.read(1) if name != "mem" else None
        found.append(name)
    except OSError:
        pass
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
if libc.ptrace(16, pid, None, None) == 0:
    found.append("ptrace")
print(" ".join(found))
"#;

/// Proves: PM3 (L)
#[test]
fn nobody_reads_the_passwords_that_are_kept() {
    if let Ok(what) = std::env::var(CHILD) {
        return hold(&what);
    }
    if !may_run() {
        return;
    }
    let (mut holder, said) = start("wait");
    assert_eq!(
        said, "0 of it seen, 2 pages locked",
        "the process's own memory has it encrypted only"
    );
    assert_eq!(
        attack(holder.id()),
        "",
        "a process of the same account without capabilities sees this"
    );
    // The same attack on a process that does not hide, to see that it is one.
    let mut open = without_capabilities();
    let mut open = open.args(["sleep", "600"]).spawn().expect("sleep is there");
    let name = format!("/proc/{}/comm", open.id());
    crate::faults::wait_for("setpriv's end", Duration::from_secs(60), || {
        let name = std::fs::read_to_string(&name).expect("it runs");
        (name == "sleep\n").then_some(())
    });
    let seen = attack(open.id());
    assert!(seen.contains("mem") && seen.contains("environ"), "{seen}");
    for child in [&mut holder, &mut open] {
        child.kill().expect("it is ours");
        child.wait().expect("it was started");
    }
    let (mut dying, _) = start("die");
    let status = dying.wait().expect("it was started");
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

fn start(what: &str) -> (Child, String) {
    let program = std::env::current_exe().expect("a test has a program");
    let mut child = without_capabilities()
        .args(["sh", "-c", "ulimit -c unlimited; cd /var/tmp; exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--exact", OWN_NAME, "--nocapture"])
        .env(CHILD, what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test can start itself");
    let mut output = BufReader::new(child.stdout.take().expect("it is a pipe"));
    let mut line = String::new();
    while !line.contains("holder: ") {
        line.clear();
        let read = output.read_line(&mut line).expect("it is text");
        assert!(read > 0, "it says what it sees");
    }
    child.stdout = Some(output.into_inner());
    let (_, said) = line
        .trim_end()
        .split_once("holder: ")
        .expect("that was looked for");
    (child, said.to_owned())
}

/// Starts a program of this account that has none of its capabilities: with them it would be out of reach in any case.
fn without_capabilities() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    command
}

/// What a process of the same account can open, which has no capability.
fn attack(pid: u32) -> String {
    let done = without_capabilities()
        .args(["python3", "-c", ATTACK])
        .arg(pid.to_string())
        .output()
        .expect("setpriv is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

fn hold(what: &str) {
    let store = Credentials::new(Duration::from_secs(3600)).expect("memory can be locked");
    {
        let password = Zeroizing::new(HIDDEN.iter().map(|byte| byte ^ MASK).collect::<Vec<u8>>());
        store.keep("alice", &password).expect("memory can be locked");
        let back = store
            .get("alice")
            .expect("memory can be locked")
            .expect("it is kept");
        assert_eq!(back.bytes(), password.as_slice());
    }
    let line = format!("holder: {} of it seen, {} pages locked\n", seen(), locked());
    std::io::stdout()
        .write_all(line.as_bytes())
        .expect("somebody reads it");
    if what == "die" {
        std::process::abort();
    }
    let _ = std::io::stdin().read(&mut [0]);
    drop(store);
}

/// How often the password stands in this process's memory.
fn seen() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("root may read it");
    let memory = std::fs::File::open("/proc/self/mem").expect("root may read it");
    let mut found = 0;
    for line in maps
        .lines()
        .filter(|line| line.contains(" rw") && !line.contains("[v"))
    {
        let (from, to) = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'))
            .expect("a range");
        let number = |text| u64::from_str_radix(text, 16).expect("a number");
        let mut bytes = vec![0; usize::try_from(number(to) - number(from)).expect("it fits")];
        if memory.read_exact_at(&mut bytes, number(from)).is_err() {
            continue;
        }
        // Masked in place, so that no copy of it is made that a later region would show.
        let is_it = |window: &[u8]| {
            window
                .iter()
                .zip(HIDDEN)
                .all(|(byte, hidden)| byte ^ MASK == hidden)
        };
        found += bytes.windows(HIDDEN.len()).filter(|window| is_it(window)).count();
        zeroize::Zeroize::zeroize(&mut bytes);
    }
    found
}

/// How many pages are locked, left out of core dumps, and empty after a fork.
fn locked() -> u64 {
    let smaps = std::fs::read_to_string("/proc/self/smaps").expect("root may read it");
    let (mut kib, mut found) = (0, 0);
    for line in smaps.lines() {
        if let Some(size) = line.strip_prefix("Size:") {
            kib = size
                .trim()
                .trim_end_matches(" kB")
                .parse::<u64>()
                .expect("a number");
        }
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            let has = |flag: &str| flags.split(' ').any(|word| word == flag);
            found += if has("lo") && has("dd") && has("wf") {
                kib
            } else {
                0
            };
        }
    }
    found * 1024 / u64::try_from(rustix::param::page_size()).expect("a page is small")
}
