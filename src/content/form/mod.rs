//! The parameters of a report as a form: what is asked for, and what the answers mean (PK6). Nothing of the report is run.

mod answers;
mod choices;
mod declare;
mod found;
mod sent;
mod types;
mod yaml_text;

use thiserror::Error;

use super::BundleFacts;
use super::files::{Bundle, Files, ReadError};
use super::params::{self, Declaration, DeclarationError};

pub use answers::{Answers, Problem, Upload};
pub use sent::{Sent, SentFile};
pub use types::{Choice, Field, Form, Initial, Input, Numbers, control, second_control};

/// More parameters than a person would answer.
const MOST_FIELDS: usize = 200;
/// Values to choose from, of all parameters together.
const MOST_CHOICES: usize = 5000;

/// Why a report's parameters can not be asked for.
#[derive(Debug, Error)]
pub enum FormError {
    /// They can not be read.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// The bundle can not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There are too many.
    #[error(
        "the report has {count} {what}, and a form can have {most}; render it by a job with spec.parameters instead"
    )]
    TooMany {
        /// Parameters, or values to choose from.
        what: &'static str,
        /// How many it has.
        count: usize,
        /// How many there may be.
        most: usize,
    },
}

/// The form of a report whose facts are known; `None` where it declares no parameters.
///
/// # Errors
/// [`FormError`], in one sentence.
pub fn form(files: &dyn Files, facts: &BundleFacts) -> Result<Option<Form>, FormError> {
    let Some(declared) = &facts.parameters else {
        return Ok(None);
    };
    let bundle = Bundle::new(files)?;
    let mut fields: Vec<Field> = Vec::new();
    for (_, declaration) in params::declarations(facts.app_mode, facts.entrypoint.as_deref(), &bundle)? {
        let found = match &declaration {
            Declaration::Header(params) => declare::of_header(params),
            Declaration::Cell(assigned) => declare::of_cell(assigned),
        };
        for field in found
            .into_iter()
            .filter(|field| declared.contains_key(&field.name))
        {
            match fields.iter_mut().find(|known| known.name == field.name) {
                Some(known) => *known = field,
                None => fields.push(field),
            }
        }
    }
    let form = Form { fields };
    form.check()?;
    Ok(Some(form))
}

impl Form {
    fn check(&self) -> Result<(), FormError> {
        let choices = self.fields.iter().map(|field| match &field.input {
            Input::Choice { choices, .. } | Input::Several(choices) => choices.len(),
            _ => 0,
        });
        for (what, count, most) in [
            ("parameters", self.fields.len(), MOST_FIELDS),
            ("values to choose from", choices.sum(), MOST_CHOICES),
        ] {
            if count > most {
                return Err(FormError::TooMany { what, count, most });
            }
        }
        Ok(())
    }

    /// Whether a file can be sent with the answers.
    #[must_use]
    pub fn takes_files(&self) -> bool {
        self.fields
            .iter()
            .any(|field| matches!(field.input, Input::File { .. }))
    }
}

#[cfg(test)]
mod tests;
