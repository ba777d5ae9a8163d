//! Launches a second when eight are made at a time, ours and bubblewrap's in turn.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::contestants::{Scene, bubblewrap, spawn};

const THREADS: usize = 8;
/// How often each has its turn, and how long one is.
const TURNS: usize = 4;
const TURN: Duration = Duration::from_secs(2);

/// Measures and prints both rates and their ratio.
pub(crate) fn report(scene: &Scene, bwrap: &Path) -> Result<(), String> {
    let (mut ours, mut theirs) = (0.0, 0.0);
    for _ in 0..TURNS {
        ours += rate(&|| scene.launch())?;
        theirs += rate(&|| spawn(bubblewrap(bwrap, &scene.masked, &[])))?;
    }
    #[allow(clippy::cast_precision_loss, reason = "a handful of turns")]
    let turns = TURNS as f64;
    println!(
        "{THREADS} at a time: offhost {:.0} launches a second, bwrap {:.0}",
        ours / turns,
        theirs / turns
    );
    println!("offhost/parallel-vs-bwrap {:.3}", ours / theirs);
    Ok(())
}

/// Launches a second.
fn rate(launch: &(impl Fn() -> Result<(), String> + Sync)) -> Result<f64, String> {
    let (start, count) = (Instant::now(), AtomicUsize::new(0));
    let until_the_end = || {
        while start.elapsed() < TURN {
            launch()?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(until_the_end)).collect();
        let fault = |_| Err("a thread of the benchmark has panicked".to_owned());
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(fault))
    })?;
    #[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 launches")]
    let launched = count.into_inner() as f64;
    Ok(launched / start.elapsed().as_secs_f64())
}
