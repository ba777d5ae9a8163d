//! An attempt on the volume: its name, and the record by which it is finished without its plan (OH2).

use serde::{Deserialize, Serialize};

use crate::api::status::ResultStatus;
use crate::data::{ContentId, NameError, Variant, layout};
use crate::plan::Output;
use crate::reason::Reason;
use crate::status::{Finished, Problem};

/// One attempt of a job: one Pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    job_uid: String,
    content: ContentId,
    key: String,
}

impl Attempt {
    /// The attempt of that key, of the job of that uid.
    ///
    /// # Errors
    /// A name that can not be part of a path.
    pub fn new(job_uid: &str, content: &str, key: &str) -> Result<Self, NameError> {
        Ok(Self {
            job_uid: job_uid.to_owned(),
            content: ContentId::parse(content)?,
            key: ContentId::parse(key)?.to_string(),
        })
    }

    /// Uid of the job.
    #[must_use]
    pub fn job_uid(&self) -> &str {
        &self.job_uid
    }

    /// The content item (XX).
    #[must_use]
    pub fn content(&self) -> &ContentId {
        &self.content
    }

    /// Its key (TT).
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What is kept of an attempt that was begun, in `jobs/XX/KEY/attempt.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Name of the ContentJob.
    pub(super) job: String,
    /// Its uid.
    pub(super) job_uid: String,
    /// Number of the bundle (YY).
    pub(super) bundle: u64,
    /// What the process makes.
    pub(super) output: Output,
    /// Uid of its account.
    pub(super) uid: u32,
    /// Gid of its account.
    pub(super) gid: u32,
    /// The image it runs in.
    pub(super) image: String,
    /// What it came to, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
}

/// What finishing an attempt came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Answer {
    /// It is whole.
    Done {
        /// Its result, where it makes one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ResultStatus>,
    },
    /// It can not be used.
    Unusable {
        /// From the closed list.
        reason: Reason,
        /// The sentence.
        message: String,
    },
}

impl Answer {
    pub(super) fn unusable(reason: Reason, message: impl ToString) -> Self {
        let message = message.to_string();
        Self::Unusable { reason, message }
    }
}

impl From<Answer> for Finished {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done { result } => Self::Done(result),
            Answer::Unusable { reason, message } => Self::Unusable(Problem { reason, message }),
        }
    }
}

/// The variant and the number that the directory of a result names: `reports/v2/XX/VV/RR`.
pub(super) fn result_of(directory: &str) -> Option<(Variant, u64)> {
    let mut parts = directory.rsplit('/');
    let number = layout::parse_number(parts.next()?)?;
    Some((Variant::parse(parts.next()?).ok()?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_result_names_it() {
        let variant = |name| Variant::parse(name).unwrap();
        assert_eq!(
            result_of("reports/v2/x/default/12"),
            Some((variant("default"), 12))
        );
        for bad in ["", "12", "reports/v2/x/default/", "reports/v2/x/../12"] {
            assert_eq!(result_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_key_leads_anywhere_else() {
        assert!(Attempt::new("u", "sales", "0123456789abcdef-1").is_ok());
        for (content, key) in [("..", "k"), ("sales", "../k"), ("sales", ""), ("a/b", "k")] {
            assert!(Attempt::new("u", content, key).is_err(), "{content} {key}");
        }
    }
}
