//! What this gateway asks of the controller that leads, until it is answered: by the one there is, or by the next.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use crate::apps::AppId;
use crate::apps::wire::ToHub;
use crate::asked::{Question, Reply};

/// Questions that wait for an answer.
const MOST: usize = 256;

/// Questions that are not answered yet.
#[derive(Debug, Default)]
pub struct Questions {
    open: Mutex<Open>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    questions: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    app: AppId,
    question: Question,
    is_sent: bool,
    answer: oneshot::Sender<Reply>,
}

/// Takes a question back when nobody waits for its answer any more.
struct Asked<'a>(&'a Questions, u64);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.open().questions.remove(&self.1);
    }
}

impl Questions {
    /// Asks, for at most so long; a new link in between asks again.
    pub async fn ask(&self, app: &AppId, question: Question, patience: Duration) -> Option<Reply> {
        let (answer, told) = oneshot::channel();
        let number = self.put(app, question, answer)?;
        let _asked = Asked(self, number);
        self.wake.notify_one();
        tokio::time::timeout(patience, told).await.ok()?.ok()
    }

    fn put(&self, app: &AppId, question: Question, answer: oneshot::Sender<Reply>) -> Option<u64> {
        let mut open = self.open();
        if open.questions.len() >= MOST {
            return None;
        }
        let number = open.next;
        open.next += 1;
        let waiting = Waiting {
            app: app.clone(),
            question,
            is_sent: false,
            answer,
        };
        open.questions.insert(number, waiting);
        Some(number)
    }

    /// There is a question that was not sent.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// What is to be sent: on a new link everything.
    pub(super) fn to_send(&self, is_new: bool) -> Vec<ToHub> {
        let mut open = self.open();
        let waiting = open.questions.iter_mut();
        let waiting = waiting.filter(|(_, waiting)| is_new || !waiting.is_sent);
        let messages = waiting.map(|(number, waiting)| {
            waiting.is_sent = true;
            ToHub::Ask {
                number: *number,
                app: waiting.app.clone(),
                question: waiting.question.clone(),
            }
        });
        messages.collect()
    }

    /// A question is answered.
    pub(super) fn answered(&self, number: u64, reply: Reply) {
        if let Some(waiting) = self.open().questions.remove(&number) {
            // Whoever asked may have gone.
            let _gone = waiting.answer.send(reply);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Each change is one insertion or removal.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::Owner;

    /// Proves: PK6 (P), OH2 (P)
    #[tokio::test]
    async fn a_question_is_asked_of_every_hub_until_it_is_answered() {
        let questions = Questions::default();
        let question = Question::List {
            owner: Owner::user("ann"),
        };
        let app = AppId::from("a");
        let asked = questions.ask(&app, question, Duration::from_secs(120));
        let hubs = async {
            questions.woken().await;
            let first = questions.to_send(false);
            assert_eq!(first.len(), 1);
            assert_eq!(questions.to_send(false), [], "once on a link");
            assert_eq!(questions.to_send(true), first, "and again on the next");
            let ToHub::Ask { number, .. } = first[0] else {
                panic!("{first:?}");
            };
            questions.answered(number + 1, Reply::Failed);
            questions.answered(number, Reply::List(Vec::new()));
            questions.answered(number, Reply::Failed);
        };
        let (told, ()) = tokio::join!(asked, hubs);
        assert_eq!(told, Some(Reply::List(Vec::new())));
        assert_eq!(questions.to_send(true), []);
    }

    /// Proves: PK6 (P)
    #[tokio::test]
    async fn who_goes_leaves_no_question() {
        let questions = Questions::default();
        let question = Question::List {
            owner: Owner::user("ann"),
        };
        let told = questions
            .ask(&AppId::from("a"), question, Duration::from_millis(1))
            .await;
        assert_eq!(told, None);
        assert_eq!(questions.to_send(true), []);
    }
}
