//! A fresh copy of 10,000 files (RD1) beside `cp -a`, in turns. The last line is the median of the pairwise ratios.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use offhost::data::{CopyOptions, copy_tree, remove_tree};

const FILES: usize = 10_000;
const ROUNDS: usize = 9;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    make_tree(&source);
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    // One unmeasured round each: the source is in the page cache for both.
    measure(&ours, || copy(&source, &ours));
    measure(&theirs, || cp(&source, &theirs));
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let a = || measure(&ours, || copy(&source, &ours)).as_secs_f64();
            let b = || measure(&theirs, || cp(&source, &theirs)).as_secs_f64();
            // Who goes first changes, so that write-back of the one is not always paid by the other.
            let (a, b) = if round % 2 == 0 {
                (a(), b())
            } else {
                let b = b();
                (a(), b)
            };
            println!(
                "round {round}: copy_tree {:.1} ms, cp -a {:.1} ms",
                a * 1e3,
                b * 1e3
            );
            a / b
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("offhost/copy-tree-10k {:.3}", ratios[ROUNDS / 2]);
}

fn measure(target: &Path, act: impl FnOnce()) -> Duration {
    let start = Instant::now();
    act();
    let taken = start.elapsed();
    remove_tree(target).unwrap();
    taken
}

fn copy(source: &Path, target: &Path) {
    copy_tree(source, target, CopyOptions::default()).unwrap();
}

fn cp(source: &Path, target: &Path) {
    let status = Command::new("cp")
        .arg("-a")
        .arg(source)
        .arg(target)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Sizes as source trees have them: mostly a few kilobytes, some of 100.
fn make_tree(root: &Path) {
    let content: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    for n in 0..FILES {
        let dir = root.join(format!("d{}/s{}", n % 20, n % 100));
        if n < 2_000 {
            std::fs::create_dir_all(&dir).unwrap();
        }
        let size = if n % 50 == 0 {
            content.len()
        } else {
            200 + (n * 37) % 8_000
        };
        std::fs::write(dir.join(format!("file{n}.R")), &content[..size]).unwrap();
    }
}
