//! The answers to what modules ask. There is nobody to ask: one password was given, or none.

use zeroize::Zeroizing;

/// The longest password, in bytes. Longer ones are nobody's: modules cut them off at half of this and less.
pub const MOST_BYTES: usize = 1024;
/// A password is given this often to one question: by several modules of a service, not to one that never has enough.
const MOST_ANSWERS: u32 = 4;
/// Lines that are kept of what modules say, and characters of each.
const MOST_LINES: usize = 16;
const MOST_CHARACTERS: usize = 200;

/// What a module shows or asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A question whose answer is not shown: the password.
    Hidden,
    /// A question whose answer is shown.
    Shown,
    /// Words without a question.
    Note,
}

/// The answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The password.
    Password(&'a [u8]),
    /// None is asked for.
    Nothing,
    /// There is none; the module is told so.
    Refused,
}

/// The conversation of one transaction.
pub struct Conversation {
    password: Option<Zeroizing<Vec<u8>>>,
    /// The question that the password is the answer to.
    question: Option<Vec<u8>>,
    answers: u32,
    said: Vec<String>,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Conversation").finish_non_exhaustive()
    }
}

impl Conversation {
    /// With this password, or without any.
    #[must_use]
    pub fn new(password: Option<Zeroizing<Vec<u8>>>) -> Self {
        Self {
            password,
            question: None,
            answers: 0,
            said: Vec::new(),
        }
    }

    /// Answers one message. The first hidden question is the one for the password, and so is another of the same words;
    /// whatever else is asked, a code or a new password, is not known here.
    pub fn answer(&mut self, style: Style, text: &[u8]) -> Answer<'_> {
        let is_for_password = style == Style::Hidden
            && self.password.is_some()
            && self.answers < MOST_ANSWERS
            && self.question.as_deref().is_none_or(|question| question == text);
        match style {
            Style::Note => {
                self.note(plain(text));
                Answer::Nothing
            }
            Style::Hidden if is_for_password => {
                self.answers += 1;
                self.question.get_or_insert_with(|| text.to_owned());
                self.password
                    .as_ref()
                    .map_or(Answer::Refused, |password| Answer::Password(password))
            }
            Style::Hidden | Style::Shown => {
                self.note(format!("asked '{}', which nobody can answer", plain(text).trim()));
                Answer::Refused
            }
        }
    }

    /// Wipes the password.
    pub fn forget_password(&mut self) {
        self.password = None;
    }

    /// What was said, and what had no answer.
    #[must_use]
    pub fn said(&self) -> &[String] {
        &self.said
    }

    fn note(&mut self, line: String) {
        if self.said.len() < MOST_LINES && !line.trim().is_empty() {
            self.said.push(line);
        }
    }
}

/// Text of a module for one line of a log.
fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_password() -> Conversation {
        Conversation::new(Some(Zeroizing::new(b"secret".to_vec())))
    }

    /// Proves: PM3 (L)
    #[test]
    fn the_password_answers_one_question_and_no_other() {
        let mut conversation = with_password();
        for _ in 0..MOST_ANSWERS {
            assert_eq!(
                conversation.answer(Style::Hidden, b"Password: "),
                Answer::Password(b"secret")
            );
        }
        assert_eq!(
            conversation.answer(Style::Hidden, b"Password: "),
            Answer::Refused,
            "it never has enough"
        );
        let mut conversation = with_password();
        assert_eq!(
            conversation.answer(Style::Hidden, b"Password: "),
            Answer::Password(b"secret")
        );
        assert_eq!(
            conversation.answer(Style::Hidden, b"New password: "),
            Answer::Refused
        );
        assert_eq!(
            conversation.answer(Style::Shown, b"Code\x1b[2J: "),
            Answer::Refused
        );
        assert_eq!(
            conversation.said(),
            [
                "asked 'New password:', which nobody can answer",
                "asked 'Code [2J:', which nobody can answer"
            ]
        );
        let mut conversation = with_password();
        conversation.forget_password();
        assert_eq!(conversation.answer(Style::Hidden, b"Password: "), Answer::Refused);
    }

    /// Proves: PM2 (L)
    #[test]
    fn without_a_password_no_question_has_an_answer() {
        let mut conversation = Conversation::new(None);
        assert_eq!(conversation.answer(Style::Hidden, b"Password: "), Answer::Refused);
        assert_eq!(
            conversation.answer(Style::Note, b"Last login: today\n"),
            Answer::Nothing
        );
        assert_eq!(conversation.said().len(), 2);
    }

    #[test]
    fn what_modules_say_is_bounded_and_a_password_is_never_shown() {
        let mut conversation = with_password();
        for _ in 0..1000 {
            conversation.answer(Style::Note, &[b'x'; 4096]);
        }
        assert_eq!(conversation.said().len(), MOST_LINES);
        assert!(
            conversation
                .said()
                .iter()
                .all(|line| line.len() <= MOST_CHARACTERS)
        );
        assert!(!format!("{conversation:?}").contains("secret"));
    }
}
