//! Standard output and standard error of the command line.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::ProgressBar;

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
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Progress on standard error.
    pub(crate) fn new() -> Self {
        Self {
            bar: std::io::stderr().is_terminal().then(ProgressBar::new_spinner),
        }
    }

    /// Says what begins now.
    pub(crate) fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => {
                bar.enable_steady_tick(Duration::from_millis(120));
                bar.set_message(text.to_owned());
            }
            None => note(format!("offhost: {text}")),
        }
    }

    /// Says that something is done, and leaves the line there.
    pub(crate) fn done(&self, text: &str) {
        match &self.bar {
            Some(bar) => {
                bar.disable_steady_tick();
                bar.suspend(|| note(format!("✓ {text}")));
                bar.set_message("");
                bar.finish_and_clear();
                bar.reset();
            }
            None => note(format!("offhost: {text}")),
        }
    }

    /// Hides the spinner while a process writes to the terminal itself.
    pub(crate) fn pause(&self) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
            bar.reset();
        }
    }
}
