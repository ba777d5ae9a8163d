//! A machine of its own for PAM: an `/etc` in a mount namespace, with accounts and services made for one test. Nothing of
//! the real one is changed, and the namespace ends with its holder, also when the test is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::faults::mount::hold;
use crate::faults::place::{Done, Place};

/// The account of these tests, and its password.
pub(super) const USER: &str = "offhost-alice";
pub(super) const PASSWORD: &str = "correct horse battery";
/// Lets root in, and writes down what is opened and closed.
const RECORDING: &str = "auth sufficient pam_rootok.so\nauth required pam_deny.so\naccount required pam_permit.so\n\
                         session required pam_exec.so quiet RECORD\nsession required pam_permit.so\n";
const MISBEHAVE: &str = include_str!("misbehave.c");
const ALIASES: &str = include_str!("aliases.c");

pub(super) struct Machine {
    pub(super) place: Place,
    holder: Child,
}

impl Machine {
    /// With the account, a service `recording`, and `PAM.UseSession` with that service. `settings` come besides.
    pub(super) fn new(settings: &str) -> Self {
        let place = Place::with(&settings_with("recording", settings));
        let etc = place.path("etc");
        fs::create_dir(&etc).expect("a directory can be made");
        let script = format!(
            "mount -t tmpfs -o mode=0755 tmpfs {etc} && cp -a /etc/. {etc} && mount --bind {etc} /etc \
             && useradd --no-create-home --uid 23741 --user-group {USER} \
             && echo '{USER}:{PASSWORD}' | chpasswd -c SHA512",
            etc = etc.display()
        );
        let holder = hold(&script);
        let place = place.within(holder.id());
        let machine = Self { place, holder };
        machine.make_recorders();
        machine.service("recording", RECORDING);
        machine
    }

    /// Programs that write down which session is opened or closed, and where a visitor is.
    fn make_recorders(&self) {
        for (name, what) in [
            ("record", "$PAM_TYPE $PPID $PAM_SERVICE $PAM_USER"),
            ("where", "$PAM_TYPE $PAM_RHOST $PAM_TTY"),
        ] {
            let file = self.place.path(&format!("{name}.log"));
            let script = format!("#!/bin/sh\necho \"{what}\" >>{}\n", file.display());
            let path = self.place.path("bin").join(name);
            fs::write(&path, script).expect("it can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
    }

    /// Makes a service. `RECORD` and `WHERE` stand for the programs that write down, `MISBEHAVE` for the module.
    pub(super) fn service(&self, name: &str, text: &str) {
        let program = |name: &str| self.place.path("bin").join(name).display().to_string();
        let text = text
            .replace("RECORD", &program("record"))
            .replace("WHERE", &program("where"));
        let text = match text.contains("MISBEHAVE") {
            true => text.replace("MISBEHAVE", &self.module().display().to_string()),
            false => text,
        };
        let path = self.place.seen("etc/pam.d").join(name);
        fs::write(path, text).expect("it can be written");
    }

    /// The module, compiled when it is first needed.
    fn module(&self) -> PathBuf {
        let module = self.place.path("bin/misbehave.so");
        if !module.exists() {
            self.compile(MISBEHAVE, &module, &["-lpam"]);
        }
        module
    }

    fn compile(&self, code: &str, library: &Path, arguments: &[&str]) {
        let source = library.with_extension("c");
        fs::write(&source, code).expect("it can be written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-Wall", "-o"]).arg(library);
        compiler.arg(&source).args(arguments);
        Done::of(compiler.output().expect("a compiler is there")).succeeded();
    }

    /// From now on accounts have other spellings too: `ALICE` and `alice@realm` are `alice`.
    pub(super) fn has_aliases(&self) {
        let directory = self.place.path("bin/nss");
        fs::create_dir(&directory).expect("a directory can be made");
        let library = directory.join("libnss_aliases.so.2");
        self.compile(ALIASES, &library, &["-Wl,-soname,libnss_aliases.so.2"]);
        let script = format!(
            "mount -t tmpfs tmpfs /var/cache/ldconfig && echo {} >/etc/ld.so.conf.d/offhost-test.conf && ldconfig -X \
             && sed -i -E '/^(passwd|shadow):/ s/$/ aliases/' /etc/nsswitch.conf && getent passwd {}",
            directory.display(),
            USER.to_uppercase()
        );
        self.sh(&script).succeeded();
    }

    /// The settings with another service for sessions.
    pub(super) fn use_service(&self, service: &str, settings: &str) {
        self.place.configure(&settings_with(service, settings));
    }

    /// Runs a command on this machine.
    pub(super) fn sh(&self, script: &str) -> Done {
        let done = Command::new("nsenter")
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .args(["sh", "-c", script])
            .output();
        Done::of(done.expect("nsenter is there"))
    }

    /// A program that is `offhost-pam` on this machine.
    pub(super) fn program(&self) -> PathBuf {
        let path = self.place.path("bin/pam-here");
        let script = format!(
            "#!/bin/sh\nexec nsenter --mount=/proc/{}/ns/mnt {} \"$@\"\n",
            self.holder.id(),
            self.place.path("bin/offhost-pam").display()
        );
        fs::write(&path, script).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path
    }

    /// What was written down: kind, process and the rest of the line.
    pub(super) fn record(&self) -> Vec<(String, String, String)> {
        let text = fs::read_to_string(self.place.path("record.log")).unwrap_or_default();
        let word = |line: &str| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            Some((words.next()?, words.next()?, words.next()?))
        };
        text.lines().filter_map(word).collect()
    }

    /// Where the visitor of the latest check was, as a module was told.
    pub(super) fn last_seen(&self) -> String {
        let text = fs::read_to_string(self.place.path("where.log")).unwrap_or_default();
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Asserts that each session that was opened was closed, once, and gives how many there were.
    #[track_caller]
    pub(super) fn assert_all_closed(&self) -> usize {
        let record = self.record();
        let of = |kind: &str| -> Vec<String> {
            let mut found: Vec<_> = record
                .iter()
                .filter(|line| line.0 == kind)
                .map(|line| line.1.clone())
                .collect();
            found.sort();
            found
        };
        assert_eq!(of("open_session"), of("close_session"), "{record:?}");
        record.len() / 2
    }

    /// A notebook that runs this shell code.
    pub(super) fn notebook(&self, code: &str) -> String {
        self.place
            .notebook("report", "stamp", &format!("before_render() {{ {code}; }}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

fn settings_with(service: &str, settings: &str) -> String {
    format!(
        "[Applications]\nRunAs = {USER}\n[PAM]\nUseSession = true\nSessionService = {service}\n{settings}"
    )
}
