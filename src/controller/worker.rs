//! Takes jobs from the schedule and looks at them, many at a time.

use std::collections::HashMap;
use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::schedule::{Key, Outcome, Schedule};

/// Looks that are under way at most. Each waits for its calls and the volume in queues of their own, so this is only
/// what bounds the memory of a start with very many jobs.
const AT_A_TIME: usize = 512;

/// Asks for looks at jobs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Triggers(mpsc::UnboundedSender<Key>);

/// What was asked for.
#[derive(Debug)]
pub struct Asked(mpsc::UnboundedReceiver<Key>);

/// A way to ask, and its other end.
#[must_use]
pub fn triggers() -> (Triggers, Asked) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Triggers(sender), Asked(receiver))
}

impl Asked {
    /// What was asked for up to now.
    pub fn now(&mut self) -> Vec<Key> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

impl Triggers {
    /// Asks for a look at this job.
    pub fn ask(&self, name: impl Into<Key>) {
        // Nobody listens any more only where the program is about to end.
        drop(self.0.send(name.into()));
    }
}

/// Looks at jobs until `stop`, then lets the looks under way end. `queued` is told how many wait.
pub async fn work<F>(
    mut asked: Asked,
    stop: CancellationToken,
    queued: impl Fn(usize),
    look: impl Fn(Key) -> F,
) where
    F: Future<Output = Outcome> + Send + 'static,
{
    let mut schedule = Schedule::default();
    let mut looks = JoinSet::new();
    let mut keys: HashMap<Id, Key> = HashMap::new();
    while !stop.is_cancelled() {
        while looks.len() < AT_A_TIME
            && let Some(key) = schedule.take()
        {
            keys.insert(looks.spawn(look(key.clone())).id(), key);
        }
        queued(schedule.queued());
        let due = schedule.next_due();
        tokio::select! {
            () = stop.cancelled() => break,
            Some(key) = asked.0.recv() => {
                schedule.ask(key);
                for key in asked.now() {
                    schedule.ask(key);
                }
            }
            Some(ended) = looks.join_next_with_id() => {
                let (id, outcome) = match ended {
                    Ok(ended) => ended,
                    Err(error) => {
                        tracing::error!(%error, "a look at a job broke off; it is tried again");
                        (error.id(), Outcome::Failed)
                    }
                };
                if let Some(key) = keys.remove(&id) {
                    schedule.done(key, outcome, Instant::now());
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                schedule.tick(Instant::now());
            }
        }
    }
    while looks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn jobs_run_beside_each_other_and_a_broken_look_is_repeated() {
        let (ask, asked) = triggers();
        let stop = CancellationToken::new();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let tries = Arc::new(AtomicUsize::new(0));
        let (log, count) = (seen.clone(), tries.clone());
        let running = tokio::spawn(work(
            asked,
            stop.clone(),
            |_| {},
            move |key: Key| {
                let (log, count) = (log.clone(), count.clone());
                async move {
                    if &*key == "slow" {
                        tokio::time::sleep(Duration::from_secs(30)).await;
                    }
                    if &*key == "breaks" && count.fetch_add(1, Ordering::SeqCst) == 0 {
                        panic!("on purpose");
                    }
                    log.lock().unwrap().push(key.to_string());
                    Outcome::Settled
                }
            },
        ));
        for name in ["slow", "breaks", "quick"] {
            ask.ask(name);
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(*seen.lock().unwrap(), ["quick", "breaks"]);
        stop.cancel();
        running.await.unwrap();
        assert_eq!(
            *seen.lock().unwrap(),
            ["quick", "breaks", "slow"],
            "what runs may end"
        );
        assert_eq!(tries.load(Ordering::SeqCst), 2);
    }
}
