//! Answers of the name service that hold for a moment: a page and all that it loads come at once, and are one question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OnceCell, Semaphore};

/// Answers that are kept; of more, those that hold no longer are let go.
const MOST: usize = 1000;
/// Questions at a time: a directory service that hangs is not asked by everybody at once.
const AT_ONCE: usize = 8;

/// Asks, and knows what was answered a moment ago.
#[derive(Debug)]
pub(super) struct Recent<T> {
    holds: Duration,
    known: Mutex<HashMap<String, Arc<Slot<T>>>>,
    turns: Semaphore,
}

/// One question and its answer: none where whoever asked has broken down.
#[derive(Debug)]
struct Slot<T> {
    asked: Instant,
    before: Option<T>,
    answer: OnceCell<Option<T>>,
}

impl<T: Clone + Send + 'static> Recent<T> {
    /// Nothing is known yet; an answer holds for so long.
    pub(super) fn new(holds: Duration) -> Self {
        Self {
            holds,
            known: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// The answer for `key`: of a moment ago, or of `ask`, which may block and is told the answer before, where that is
    /// known. None where it breaks down.
    pub(super) async fn answer(
        &self,
        key: &str,
        ask: impl FnOnce(Option<T>) -> T + Send + 'static,
    ) -> Option<T> {
        let slot = self.slot(key);
        let asked = slot.answer.get_or_init(|| async {
            let _turn = self.turns.acquire().await;
            let before = slot.before.clone();
            tokio::task::spawn_blocking(move || ask(before)).await.ok()
        });
        asked.await.clone()
    }

    fn slot(&self, key: &str) -> Arc<Slot<T>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(key);
        if let Some(slot) = before
            && slot.asked.elapsed() < self.holds
        {
            return slot.clone();
        }
        let before = before.and_then(|slot| match slot.answer.get() {
            Some(answer) => answer.clone(),
            None => slot.before.clone(),
        });
        if known.len() >= MOST {
            known.retain(|_, slot| slot.asked.elapsed() < self.holds);
        }
        let slot = Arc::new(Slot {
            asked: Instant::now(),
            before,
            answer: OnceCell::new(),
        });
        known.insert(key.to_owned(), slot.clone());
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_moment_is_one_question_and_the_next_one_knows_its_answer() {
        let recent = Recent::new(Duration::from_secs(600));
        for _ in 0..3 {
            let answer = recent.answer("ann", |before| before.map_or(1, |before: u32| before + 1));
            assert_eq!(answer.await, Some(1));
        }
        assert_eq!(recent.answer("bob", |_| 7).await, Some(7));
        let over = Recent::new(Duration::ZERO);
        for count in 1..4 {
            let answer = over.answer("ann", |before| before.map_or(1, |before: u32| before + 1));
            assert_eq!(answer.await, Some(count));
        }
        assert_eq!(over.answer("ann", |_| panic!("it breaks down")).await, None);
        assert_eq!(over.answer("ann", |before| before.unwrap_or(0)).await, Some(0));
    }
}
