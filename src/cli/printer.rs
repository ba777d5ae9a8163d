//! Standard output and standard error of the command line.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Writes one line to standard output. A reader that has gone away is no error: the pipe is simply closed.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes one line to standard error.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    line(serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")));
}

/// Rows as columns, the first row the header.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// What a job is doing: a spinner on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    /// There is one only between the beginning and the end of a step: one that waits is drawn over what others write.
    spinner: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Progress on standard error.
    pub(crate) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            spinner: Mutex::new(None),
        }
    }

    /// Says what begins now.
    pub(crate) fn step(&self, text: &str) {
        if !self.terminal {
            note(format!("offhost: {text}"));
            return;
        }
        self.pause();
        let spinner = ProgressBar::new_spinner().with_message(text.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(120));
        *self.held() = Some(spinner);
    }

    /// Shows on a terminal how much of something was sent.
    pub(crate) fn bytes(&self, sent: u64, of: u64) {
        if !self.terminal {
            return;
        }
        let mut held = self.held();
        let is_bar = held.as_ref().is_some_and(|bar| bar.length().is_some());
        if !is_bar {
            if let Some(spinner) = held.take() {
                spinner.finish_and_clear();
            }
            let style =
                ProgressStyle::with_template("sending {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}");
            let bar = ProgressBar::new(of);
            *held = Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
        }
        if let Some(bar) = held.as_ref() {
            bar.set_position(sent);
        }
    }

    /// Says that something is done, and leaves the line there.
    pub(crate) fn done(&self, text: &str) {
        self.pause();
        match self.terminal {
            true if text.starts_with("note: ") => note(text),
            true => note(format!("✓ {text}")),
            false => note(format!("offhost: {text}")),
        }
    }

    /// Takes the spinner away before somebody else writes to the terminal.
    pub(crate) fn pause(&self) {
        if let Some(spinner) = self.held().take() {
            spinner.finish_and_clear();
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.spinner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
