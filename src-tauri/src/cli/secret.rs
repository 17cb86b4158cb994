//! Passwords: from a file, or typed without an echo.

use std::{
    io::{BufRead as _, IsTerminal as _, Read as _},
    path::Path,
};

use anyhow::Context as _;

use super::{Exit, Fault, args::PasswordArgs, file};

/// Where a secret comes from: the first line of a file, or somebody who types it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    file: Option<&'a Path>,
    /// The option that names the file, where there is one.
    option: Option<&'static str>,
}

impl<'a> Source<'a> {
    /// A secret of its own kind, with an option of its own.
    pub(super) fn of(file: Option<&'a Path>, option: &'static str) -> Source<'a> {
        Source {
            file,
            option: Some(option),
        }
    }

    /// Somebody types it, and nothing else.
    pub(super) fn typed() -> Source<'static> {
        Source {
            file: None,
            option: None,
        }
    }

    /// Nobody is there to type it.
    fn missing(self) -> Fault {
        Fault::wrong_use("nobody is there to type a password").remedy(match self.option {
            Some(option) => format!("name a file with {option}"),
            None => "run it where it can be typed, in a terminal".to_owned(),
        })
    }
}

impl<'a> From<&'a PasswordArgs> for Source<'a> {
    fn from(args: &'a PasswordArgs) -> Source<'a> {
        Source::of(args.password_file.as_deref(), "--password-file")
    }
}

/// A password that is set: typed twice where it is typed.
pub(super) fn new_password<'a>(from: impl Into<Source<'a>>, question: &str) -> Result<String, Exit> {
    let from = from.into();
    let first = password(from, question)?;
    if from.file.is_none() && password(from, "Once more: ")? != first {
        return Err(Fault::failed("passwords_differ", "the two passwords differ")
            .meaning("Nothing was changed.")
            .into());
    }
    Ok(first)
}

/// The password from the file, or typed.
pub(super) fn password<'a>(from: impl Into<Source<'a>>, question: &str) -> Result<String, Exit> {
    let from = from.into();
    if let Some(path) = from.file {
        return hearth_node::secret_line(path).map_err(|error| {
            let fault = Fault::failed("password_file", error.to_string());
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            match cause {
                Some(cause) => fault.details(cause).into(),
                None => fault.into(),
            }
        });
    }
    if !std::io::stdin().is_terminal() {
        return Err(from.missing().into());
    }
    rpassword::prompt_password(question)
        .context("the password cannot be read")
        .map_err(Exit::from)
}

/// Something else that nobody shall see, typed or from another program.
pub(super) fn typed(question: &str, what: &str) -> Result<String, Exit> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(question)
            .with_context(|| format!("{what} cannot be read"))
            .map_err(Exit::from);
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .take(file::SECRET)
        .read_line(&mut line)
        .with_context(|| format!("{what} cannot be read"))?;
    if line.trim().is_empty() {
        return Err(Fault::wrong_use(format!("nobody is there to type {what}")).into());
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_the_option_of_this_secret() {
        let remedy = |from: Source<'_>| from.missing().detail.remedy.unwrap();
        let backup = Source::of(None, "--backup-passphrase-file");
        assert_eq!(remedy(backup), "name a file with --backup-passphrase-file");
        let main = PasswordArgs { password_file: None };
        assert_eq!(remedy(Source::from(&main)), "name a file with --password-file");
        assert!(!remedy(Source::typed()).contains("--"));
    }

    #[test]
    fn a_secret_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "correct horse\nmore").unwrap();
        let from = Source::of(Some(file.as_path()), "--key-passphrase-file");
        assert_eq!(new_password(from, "?").unwrap(), "correct horse");
    }
}
