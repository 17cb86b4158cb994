//! Other programs that are to use this node: what their settings are, and how these are written and taken back.
//!
//! The table of programs and the edits of their files are pure: values and text in, text out. [`Workplace`] alone
//! touches files. Whoever calls it makes and revokes the API key, and says where the home folder is.
//!
//! ```text
//! program + target → settings → edit of the file's text → diff to look at → record, backup, file
//! ```

mod diff;
mod edit;
mod error;
mod file;
mod places;
mod program;
mod record;
mod settings;
mod snippets;
mod target;
mod workplace;

pub use diff::{Line, diff};
pub use edit::{Change, EditError, Edited, Format, Setting, Taken, set, take};
pub use error::Error;
pub use places::Places;
pub use program::Program;
pub use record::Connection;
pub use settings::settings;
pub use snippets::{Snippet, snippets};
pub use target::{KEY_PLACEHOLDER, Target, root_of};
pub use workplace::{Preview, Undone, Workplace, Written};
