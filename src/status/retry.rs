//! What follows an attempt that did not succeed: the cause decides.
//!
//! | cause | again | counted |
//! |---|---|---|
//! | the job was suspended | when it goes on | no |
//! | the cluster ended it: node lost, evicted, preempted, deleted, refused by the kubelet | up to 10 times in a row, after 10 s, 20 s … 6 min | no |
//! | what was asked for can never work: supervisor, input, runtime, account | never | |
//! | anything else | `retries` times, after 10 s, 20 s … 5 min | yes |
//!
//! Ten disruptions wait 28 minutes together: long enough to ride out the replacement of all nodes, one after the other.

use jiff::SignedDuration;

use super::attempts::{was_disrupted, was_failure, was_suspended};
use crate::api::status::AttemptStatus;
use crate::reason::Reason;

/// How many disruptions in a row are repeated.
pub(super) const MOST_DISRUPTIONS: usize = 10;
/// Seconds before the first repetition; doubled for each further one.
const FIRST_SECONDS: i64 = 10;
/// The longest wait after a failure.
const LONGEST_AFTER_FAILURE: i64 = 300;
/// The longest wait after a disruption.
const LONGEST_AFTER_DISRUPTION: i64 = 360;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another attempt, after this time.
    Again(SignedDuration),
    /// None: it can never work.
    Never,
    /// None: every attempt that is counted was made.
    Exhausted,
    /// None: the cluster ended this many in a row.
    Disrupted(usize),
}

/// What follows the last of these attempts, which is over and did not succeed.
pub(super) fn verdict(attempts: &[AttemptStatus], reason: Reason, retries: i32) -> Verdict {
    let Some(last) = attempts.last() else {
        return Verdict::Again(SignedDuration::ZERO);
    };
    if was_suspended(last) {
        return Verdict::Again(SignedDuration::ZERO);
    }
    if was_disrupted(last) {
        let in_row = attempts
            .iter()
            .rev()
            .filter(|attempt| !was_suspended(attempt))
            .take_while(|attempt| was_disrupted(attempt))
            .count();
        return if in_row > MOST_DISRUPTIONS {
            Verdict::Disrupted(in_row)
        } else {
            Verdict::Again(back_off(in_row, LONGEST_AFTER_DISRUPTION))
        };
    }
    if is_never_repeated(reason) {
        return Verdict::Never;
    }
    let failures = attempts.iter().filter(|attempt| was_failure(attempt)).count();
    if failures > usize::try_from(retries).unwrap_or_default() {
        return Verdict::Exhausted;
    }
    Verdict::Again(back_off(failures, LONGEST_AFTER_FAILURE))
}

/// Whether trying again can not help.
pub(super) fn is_never_repeated(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SupervisorRefused | Reason::InvalidInput | Reason::RuntimeNotFound | Reason::AccountRefused
    )
}

fn back_off(count: usize, longest: i64) -> SignedDuration {
    let doublings = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    SignedDuration::from_secs((FIRST_SECONDS << doublings).min(longest))
}
