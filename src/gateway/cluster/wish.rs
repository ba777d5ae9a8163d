//! A result that a visitor asks for, on its way to the controller that leads: first what nobody else may see, part by part,
//! then the rest.

use std::time::Duration;

use tokio::time::Instant;

use super::form::Desks;
use crate::apps::AppId;
use crate::asked::{Begin, Parcel, Part, Question, Reply, is_id};
use crate::gateway::form::Refused;

/// Bytes of a question: the link carries one message after the other.
const MOST_BYTES: usize = 128 * 1024;
/// How long a result is asked for: longer than another controller needs to lead.
const TO_BEGIN: Duration = Duration::from_secs(60);
/// The same where passwords and files are sent before.
const TO_GIVE: Duration = Duration::from_secs(120);
/// Passwords and files that are sent at a time.
pub(super) const SENDING: usize = 4;
/// How often they are sent: each leader needs them anew.
const TRIES: usize = 3;

/// What is asked for, with passwords and files sealed.
pub(super) struct Wish {
    begin: Begin,
    sealed: Option<(Parcel, Vec<u8>)>,
}

impl Wish {
    /// Something to be asked for.
    pub(super) fn of(begin: Begin, sealed: Option<Vec<u8>>) -> Result<Self, Refused> {
        let size = serde_json::to_vec(&begin).map_err(|_| Refused::Failed)?.len();
        if size > MOST_BYTES {
            return Err(Refused::Unfit(format!(
                "The answers are too large: this server takes {} KiB of them, passwords and files not counted; shorten \
                 them and send them again",
                MOST_BYTES / 1024
            )));
        }
        let sealed = begin.given.clone().zip(sealed);
        Ok(Self { begin, sealed })
    }
}

impl Desks {
    /// Asks for it, until a controller has answered.
    pub(super) async fn begun(&self, app: &AppId, name: &str, wish: Wish) -> Result<String, Refused> {
        let Wish { begin, sealed } = wish;
        let Some((parcel, sealed)) = sealed else {
            return match self
                .ask(app, name, Question::Begin(Box::new(begin)), TO_BEGIN)
                .await?
            {
                Reply::Begun(id) if is_id(&id) => Ok(id),
                _ => Err(Refused::Failed),
            };
        };
        let until = Instant::now() + TO_GIVE;
        let sending = tokio::time::timeout_at(until, self.sending.acquire()).await;
        let Ok(Ok(_turn)) = sending else {
            return Err(Refused::Busy(crate::asked::BUSY.to_owned()));
        };
        for _ in 0..TRIES {
            for number in 0..parcel.parts() {
                let part = Part::of(&begin.id, &parcel, &sealed, number);
                let question = Question::Give(Box::new(part));
                let Reply::Given = self.ask(app, name, question, left(until)).await? else {
                    return Err(Refused::Failed);
                };
            }
            let question = Question::Begin(Box::new(begin.clone()));
            match self.ask(app, name, question, left(until)).await? {
                Reply::Begun(id) if is_id(&id) => return Ok(id),
                // Another controller leads since some of the parts were sent.
                Reply::Missing => {}
                _ => return Err(Refused::Failed),
            }
        }
        Err(Refused::Failed)
    }

    async fn ask(
        &self,
        app: &AppId,
        name: &str,
        question: Question,
        patience: Duration,
    ) -> Result<Reply, Refused> {
        match self.questions.ask(app, question, patience).await {
            Some(Reply::Busy(sentence)) => Err(Refused::Busy(sentence)),
            Some(reply) => Ok(reply),
            None => {
                tracing::warn!(app = name, "no controller has answered what a visitor asked for");
                Err(Refused::Failed)
            }
        }
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}
