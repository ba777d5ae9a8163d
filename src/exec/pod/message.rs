//! The container's termination log: one JSON line, never any output of the content.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::exec::StepError;
use crate::sandbox::Report;

/// A longer termination message is cut off by the kubelet, and could then not be read as JSON.
const MOST_BYTES: usize = 4096;

/// Where the last words go.
#[derive(Debug)]
pub(super) struct Message {
    file: Option<File>,
}

impl Message {
    /// Opens the termination log. Where there is none, nothing is written.
    pub(super) fn open(path: &Path) -> Self {
        let mut options = File::options();
        options.write(true).custom_flags(libc::O_NOFOLLOW);
        Self {
            file: options.open(path).ok(),
        }
    }

    /// Writes a report over whatever is there: content can write in the termination log too.
    pub(super) fn write(&self, report: &Report) {
        let Some(file) = &self.file else { return };
        // There is nobody to tell: the exit code says the most important thing all the same.
        let _ = file.set_len(0);
        let _ = file.write_all_at(short_line(report).as_bytes(), 0);
    }

    /// Writes a failure there and, for those who read the container's log, as a sentence on standard error.
    pub(super) fn fail(&self, error: &StepError) {
        self.write(&error.report());
        let hint = match error.hint.as_str() {
            "" => String::new(),
            hint => format!("; {hint}"),
        };
        let sentence = format!("offhost-exec: {}: {}{hint}\n", error.step, error.message);
        let _ = std::io::stderr().write_all(sentence.as_bytes());
    }
}

/// The report as a line that is short enough; long words lose their middle, where paths are least telling.
fn short_line(report: &Report) -> String {
    let mut most_chars = MOST_BYTES;
    loop {
        let line = serde_json::to_string(&shortened(report, most_chars)).unwrap_or_default() + "\n";
        if line.len() <= MOST_BYTES || most_chars == 0 {
            return line;
        }
        most_chars /= 2;
    }
}

fn shortened(report: &Report, most_chars: usize) -> Report {
    let cut = |text: &str| {
        let chars: Vec<char> = text.chars().collect();
        if chars.len() <= most_chars {
            return text.to_owned();
        }
        let (head, tail) = (&chars[..most_chars / 2], &chars[chars.len() - most_chars / 2..]);
        head.iter().chain(&['…']).chain(tail).collect()
    };
    match report {
        Report::Failed { step, message, hint } => Report::Failed {
            step: step.clone(),
            message: cut(message),
            hint: cut(hint),
        },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: String) -> Report {
        Report::Failed {
            step: "supervisor".to_owned(),
            message,
            hint: "put it there".to_owned(),
        }
    }

    #[test]
    fn a_line_is_whole_json_however_long_the_words_are() {
        let short = failed("no '/x'".to_owned());
        assert_eq!(
            serde_json::from_str::<Report>(&short_line(&short)).unwrap(),
            short
        );
        for word in ["/a-directory", "\u{1}", "ü"] {
            let line = short_line(&failed(format!("begin{}end", word.repeat(4096))));
            assert!(line.len() <= MOST_BYTES, "{}", line.len());
            let Report::Failed { message, hint, .. } = serde_json::from_str(&line).unwrap() else {
                panic!("{line}");
            };
            assert!(
                message.starts_with("begin") && message.ends_with("end"),
                "{message}"
            );
            assert!(message.contains('…'));
            assert_eq!(hint, "put it there");
        }
    }

    #[test]
    fn what_stood_there_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "x".repeat(9999)).unwrap();
        let report = failed("m".to_owned());
        let message = Message::open(&path);
        message.write(&failed("longer".to_owned()));
        message.write(&report);
        let line = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&line).unwrap(), report);
        Message::open(&dir.path().join("none")).write(&report);
        assert!(!dir.path().join("none").exists());
    }
}
