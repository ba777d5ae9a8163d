//! Results that visitors have asked for with a form: whose each is, what is kept of it, and which of them give way to others
//! (PK6). The rules are the same where one program does everything and where gateways ask the controller that leads.

mod custody;
mod given;
mod owner;
mod pace;
mod parts;
mod record;
mod sealing;
mod shelf;
mod words;

pub use custody::Custody;
pub use given::{GONE, Given};
pub use owner::Owner;
pub use parts::{BUSY, Trays, Untaken};
pub use record::{Record, State, all};
pub use sealing::{About, PURPOSE, Sealing};
pub use shelf::{Item, Shelf, failure};
pub use words::{Begin, Line, LineState, Parcel, Part, Question, Reply, Shown, is_id, to_visitor};
