//! The command line, which the controller writes: no abbreviations, every mistake is named.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::serving::ServeOrder;
use crate::exec::StepError;

/// The commands.
const COMMANDS: [&str; 3] = ["pod", "copy", "install"];

/// Where a container's runtime expects the last words of its first process.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// Where the image of the helper has the starters.
const RUNTIME: &str = "/runtime";
/// Time between SIGTERM and SIGKILL, in seconds: that of the sandbox.
const GRACE_SECONDS: u64 = 5;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Run one process of the content.
    Pod(PodOrder),
    /// Copy a source tree.
    Copy { from: PathBuf, to: PathBuf },
    /// Put the helper and the starters into a volume.
    Install { to: PathBuf, runtime: PathBuf },
}

/// One process of the content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PodOrder {
    /// Source and destination of the copy that the process works on.
    pub(super) copy: Option<(PathBuf, PathBuf)>,
    /// Takes all output of the process.
    pub(super) log: Option<PathBuf>,
    /// The process's time.
    pub(super) timeout_seconds: Option<u64>,
    /// Time between SIGTERM and SIGKILL.
    pub(super) grace_seconds: u64,
    /// How many words at the front of the command line are the supervisor's.
    pub(super) supervisor_words: usize,
    /// Open files of the process.
    pub(super) open_files: Option<u64>,
    /// Bytes of a file that the process writes.
    pub(super) file_size: Option<u64>,
    /// Whether the process is told where the API server is.
    pub(super) tell_api_server: bool,
    /// How it serves, if it does.
    pub(super) serve: Option<ServeOrder>,
    /// The command line; never empty.
    pub(super) argv: Vec<OsString>,
}

/// Reads a command line: where the last words go, which is known even where the rest is wrong, and the order.
pub(super) fn parse(words: Vec<OsString>) -> (PathBuf, Result<Order, StepError>) {
    let mut words = words.into_iter();
    let command = words.next().unwrap_or_default();
    let mut given = Given::default();
    let read = given.read(words);
    let (place, placed) = match given.path("--termination-log") {
        Ok(place) => (place, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let order = read.and(placed).and_then(|()| given.order(&command));
    (place.unwrap_or_else(|| PathBuf::from(TERMINATION_LOG)), order)
}

fn mistake(message: String) -> StepError {
    let hint = "use the controller and the helper of one version";
    StepError::new("read the arguments", message, hint)
}

/// The words of a command line, sorted.
#[derive(Default)]
struct Given {
    flags: Vec<(String, OsString)>,
    plain: Vec<OsString>,
    /// What follows `--`.
    rest: Option<Vec<OsString>>,
}

impl Given {
    fn read(&mut self, mut words: impl Iterator<Item = OsString>) -> Result<(), StepError> {
        while let Some(word) = words.next() {
            let Some(flag) = word.to_str().filter(|word| word.starts_with('-')) else {
                self.plain.push(word);
                continue;
            };
            if flag == "--" {
                self.rest = Some(words.collect());
                break;
            }
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(OsString::from(value))),
                None => (flag.to_owned(), words.next()),
            };
            let value = value.ok_or_else(|| mistake(format!("{name} needs a value")))?;
            if self.flags.iter().any(|(other, _)| *other == name) {
                return Err(mistake(format!("{name} is given twice")));
            }
            self.flags.push((name, value));
        }
        Ok(())
    }

    fn order(&mut self, command: &OsStr) -> Result<Order, StepError> {
        let order = match command.to_str() {
            Some("pod") => Order::Pod(self.pod()?),
            Some("copy") => {
                let [from, to] = self.places("copy FROM TO")?;
                Order::Copy { from, to }
            }
            Some("install") => {
                let runtime = self.path("--runtime")?;
                let [to] = self.places("install TO")?;
                Order::Install {
                    to,
                    runtime: runtime.unwrap_or_else(|| PathBuf::from(RUNTIME)),
                }
            }
            _ => {
                let known = COMMANDS.join(", ");
                return Err(mistake(format!(
                    "'{}' is no command; known are {known}",
                    command.display()
                )));
            }
        };
        if let Some((name, _)) = self.flags.first() {
            return Err(mistake(format!("{name} is unknown to '{}'", command.display())));
        }
        if let Some(word) = self.plain.first() {
            let message = format!(
                "'{}' is out of place; the command line follows --",
                word.display()
            );
            return Err(mistake(message));
        }
        Ok(order)
    }

    fn pod(&mut self) -> Result<PodOrder, StepError> {
        let copy = match (self.path("--copy-from")?, self.path("--copy-to")?) {
            (Some(from), Some(to)) => Some((from, to)),
            (None, None) => None,
            (Some(_), None) => return Err(mistake("--copy-from needs --copy-to".to_owned())),
            (None, Some(_)) => return Err(mistake("--copy-to needs --copy-from".to_owned())),
        };
        let argv = self.rest.take().unwrap_or_default();
        if argv.is_empty() {
            return Err(mistake("no command line follows --".to_owned()));
        }
        let supervisor_words = self.number("--supervisor-words")?.unwrap_or(0);
        if supervisor_words >= argv.len() {
            let message = format!(
                "--supervisor-words {supervisor_words} leaves no program of the {} words after --",
                argv.len()
            );
            return Err(mistake(message));
        }
        Ok(PodOrder {
            copy,
            log: self.path("--log")?,
            timeout_seconds: self.number("--timeout-seconds")?,
            grace_seconds: self.number("--grace-seconds")?.unwrap_or(GRACE_SECONDS),
            supervisor_words,
            open_files: self.number("--open-files")?,
            file_size: self.number("--file-size")?,
            tell_api_server: self.either("--api-server", ["hide", "tell"])?,
            serve: self.serve()?,
            argv,
        })
    }

    fn serve(&mut self) -> Result<Option<ServeOrder>, StepError> {
        let [listen_port, status_port] = [self.number("--listen-port")?, self.number("--status-port")?];
        let ready_file = self.path("--ready-file")?;
        let interrupts = self.either("--stop", ["term", "int"])?;
        match (status_port, ready_file) {
            (Some(status_port), Some(ready_file)) => Ok(Some(ServeOrder {
                listen_port,
                status_port,
                ready_file,
                interrupts,
            })),
            (None, None) if listen_port.is_none() && !interrupts => Ok(None),
            _ => Err(mistake(
                "what serves needs --status-port and --ready-file".to_owned(),
            )),
        }
    }

    /// Whether the second of two words is given; the first one where none is.
    fn either(&mut self, name: &str, [first, second]: [&str; 2]) -> Result<bool, StepError> {
        let Some(value) = self.take(name) else {
            return Ok(false);
        };
        match value.to_str() {
            Some(word) if word == first => Ok(false),
            Some(word) if word == second => Ok(true),
            _ => Err(mistake(format!(
                "{name} '{}' is neither '{first}' nor '{second}'",
                value.display()
            ))),
        }
    }

    fn take(&mut self, name: &str) -> Option<OsString> {
        let at = self.flags.iter().position(|(flag, _)| flag == name)?;
        Some(self.flags.remove(at).1)
    }

    fn path(&mut self, name: &str) -> Result<Option<PathBuf>, StepError> {
        let path = self.take(name).map(PathBuf::from);
        path.map(|path| absolute(name, path)).transpose()
    }

    fn number<N: FromStr>(&mut self, name: &str) -> Result<Option<N>, StepError> {
        let parse = |value: OsString| {
            let number = value.to_str().and_then(|text| text.parse().ok());
            number.ok_or_else(|| mistake(format!("{name} '{}' is no whole number", value.display())))
        };
        self.take(name).map(parse).transpose()
    }

    /// The arguments that are no flags, all of them paths.
    fn places<const N: usize>(&mut self, usage: &str) -> Result<[PathBuf; N], StepError> {
        let wrong = || mistake(format!("the arguments are: {usage}"));
        if self.rest.is_some() {
            return Err(wrong());
        }
        let given: Vec<_> = std::mem::take(&mut self.plain);
        let places: Result<Vec<_>, _> = given
            .into_iter()
            .map(|word| absolute(usage, PathBuf::from(word)))
            .collect();
        places?.try_into().map_err(|_| wrong())
    }
}

fn absolute(what: &str, path: PathBuf) -> Result<PathBuf, StepError> {
    if Path::is_absolute(&path) {
        return Ok(path);
    }
    Err(mistake(format!(
        "{what}: '{}' is no absolute path",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Order, String> {
        let (_, order) = parse(line.split_whitespace().map(OsString::from).collect());
        order.map_err(|error| error.message)
    }

    #[test]
    fn a_full_command_line_is_understood() {
        let line = "pod --copy-from /a --copy-to=/b --log /l --timeout-seconds 9 --grace-seconds 2 \
            --supervisor-words 2 --open-files 64 --file-size 1000 --api-server tell -- nice -n /bin/x --log y";
        let order = PodOrder {
            copy: Some(("/a".into(), "/b".into())),
            log: Some("/l".into()),
            timeout_seconds: Some(9),
            grace_seconds: 2,
            supervisor_words: 2,
            open_files: Some(64),
            file_size: Some(1000),
            tell_api_server: true,
            serve: None,
            argv: ["nice", "-n", "/bin/x", "--log", "y"].map(OsString::from).into(),
        };
        assert_eq!(read(line), Ok(Order::Pod(order)));
        let line = "pod --listen-port 8000 --status-port 8001 --ready-file /t/r --stop int -- R";
        let Ok(Order::Pod(order)) = read(line) else {
            panic!("{line}");
        };
        let serve = ServeOrder {
            listen_port: Some(8000),
            status_port: 8001,
            ready_file: "/t/r".into(),
            interrupts: true,
        };
        assert_eq!(order.serve, Some(serve));
        let [from, to] = ["/a", "/b"].map(PathBuf::from);
        assert_eq!(read("copy /a /b"), Ok(Order::Copy { from, to }));
        let install = Order::Install {
            to: "/opt".into(),
            runtime: "/r".into(),
        };
        assert_eq!(read("install --runtime /r /opt"), Ok(install));
    }

    #[test]
    fn every_mistake_is_named() {
        let mistakes = [
            ("pod --lgo /x -- a", "--lgo is unknown to 'pod'"),
            ("pod -x 1 -- a", "-x is unknown to 'pod'"),
            ("pod --log", "--log needs a value"),
            ("pod --log /a --log /b -- a", "--log is given twice"),
            ("pod --log a -- a", "--log: 'a' is no absolute path"),
            ("pod --copy-from /a -- a", "--copy-from needs --copy-to"),
            ("pod --copy-to /a -- a", "--copy-to needs --copy-from"),
            ("pod --log /l", "no command line follows --"),
            ("pod --log /l --", "no command line follows --"),
            ("pod a b", "no command line follows --"),
            ("pod b -- a", "'b' is out of place; the command line follows --"),
            (
                "pod --timeout-seconds -1 -- a",
                "--timeout-seconds '-1' is no whole number",
            ),
            (
                "pod --api-server yes -- a",
                "--api-server 'yes' is neither 'hide' nor 'tell'",
            ),
            (
                "pod --supervisor-words 1 -- a",
                "--supervisor-words 1 leaves no program of the 1 words after --",
            ),
            (
                "pod --listen-port 80 -- a",
                "what serves needs --status-port and --ready-file",
            ),
            ("pod --stop hup -- a", "--stop 'hup' is neither 'term' nor 'int'"),
            ("copy /a", "the arguments are: copy FROM TO"),
            ("copy /a /b /c", "the arguments are: copy FROM TO"),
            ("copy a /b", "copy FROM TO: 'a' is no absolute path"),
            ("copy --runtime /r /a /b", "--runtime is unknown to 'copy'"),
            ("install /a -- b", "the arguments are: install TO"),
            ("run", "'run' is no command; known are pod, copy, install"),
        ];
        for (line, message) in mistakes {
            assert_eq!(read(line), Err(message.to_owned()), "{line}");
        }
    }

    #[test]
    fn the_place_of_the_last_words_is_known_in_spite_of_a_mistake() {
        let place = |line: &str| parse(line.split_whitespace().map(OsString::from).collect()).0;
        assert_eq!(place("pod --termination-log /t --none 1 -- a"), Path::new("/t"));
        assert_eq!(place("pod --termination-log /t -- a"), Path::new("/t"));
        assert_eq!(place("pod --log"), Path::new(TERMINATION_LOG));
        let (_, order) = parse(
            ["pod", "--termination-log", "/t", "--", "a"]
                .map(OsString::from)
                .into(),
        );
        assert!(order.is_ok());
    }
}
