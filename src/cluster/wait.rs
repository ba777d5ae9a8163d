//! Waits for a job by asking for it: that needs no permission beyond reading it, and survives whatever a watch does not.

use std::time::{Duration, Instant};

use super::error::ClusterError;
use super::jobs::{Jobs, Outcome, Seen};

/// Between two looks: soon at first, as what is quick should be told quickly.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long an API server may give no answer while a job is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a controller may take to say its first word of a job.
pub(super) const TAKEN_IN: Duration = Duration::from_secs(30);

/// Is told what happens.
pub trait Teller {
    /// How far it is, in a sentence.
    fn told(&self, sentence: &str);
    /// How much of an archive was sent.
    fn sent(&self, bytes: u64, of: u64);
    /// Something is about to be written to the terminal.
    fn pause(&self);
}

/// Waits until the job is as wanted, and tells its sentences on the way.
///
/// # Errors
/// It was deleted, nobody takes it, or the API server gives no answer for a while.
pub async fn until(
    jobs: &Jobs,
    name: &str,
    teller: &dyn Teller,
    wanted: impl Fn(&Seen) -> bool,
) -> Result<Seen, ClusterError> {
    let began = Instant::now();
    let mut answered = began;
    let mut pause = FIRST_PAUSE;
    let mut last = String::new();
    loop {
        match jobs.get(name).await {
            Ok(seen) => {
                answered = Instant::now();
                if wanted(&seen) {
                    return Ok(seen);
                }
                if seen.status.conditions.is_empty() && began.elapsed() > TAKEN_IN {
                    return Err(not_taken(jobs, name));
                }
                // Whoever sends an archive need not be told that it has not come.
                let is_news = |sentence: &&str| *sentence != last && !seen.awaits_upload();
                if let Some(sentence) = seen.sentence().filter(is_news) {
                    teller.told(sentence);
                    sentence.clone_into(&mut last);
                }
            }
            Err(ClusterError::NoJob { .. }) => {
                return Err(ClusterError::Deleted {
                    name: name.to_owned(),
                });
            }
            Err(error) if may_pass(&error) && answered.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = pause.mul_f32(1.25).min(LONGEST_PAUSE);
    }
}

/// Waits for the end of a job.
///
/// # Errors
/// As [`until`], and [`ClusterError::Failed`] where the job did not succeed.
pub async fn for_end(jobs: &Jobs, name: &str, teller: &dyn Teller) -> Result<Seen, ClusterError> {
    let seen = until(jobs, name, teller, |seen| seen.outcome() != Outcome::Open).await?;
    match seen.outcome() {
        Outcome::Failed(reason, message) => Err(ClusterError::Failed {
            name: name.to_owned(),
            reason,
            message,
            exit_code: seen.status.exit_code,
        }),
        _ => Ok(seen),
    }
}

/// Whether another try may be answered.
fn may_pass(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Unreachable { .. } | ClusterError::Api { .. })
}

fn not_taken(jobs: &Jobs, name: &str) -> ClusterError {
    ClusterError::NotTaken {
        name: name.to_owned(),
        namespace: jobs.namespace().to_owned(),
        seconds: TAKEN_IN.as_secs(),
    }
}
