//! Passwords: from a file, or typed without an echo.

use std::io::IsTerminal as _;

use anyhow::Context as _;

use super::{Exit, Fault, args::PasswordArgs};

/// A password that is set: typed twice where it is typed.
pub(super) fn new_password(from: &PasswordArgs, question: &str) -> Result<String, Exit> {
    let first = password(from, question)?;
    if from.password_file.is_none() && password(from, "Once more: ")? != first {
        return Err(Fault::failed("passwords_differ", "the two passwords differ")
            .meaning("Nothing was changed.")
            .into());
    }
    Ok(first)
}

/// The password from the file, or typed.
pub(super) fn password(from: &PasswordArgs, question: &str) -> Result<String, Exit> {
    if let Some(path) = &from.password_file {
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
        return Err(Fault::wrong_use("nobody is there to type a password")
            .remedy("name a file with --password-file")
            .into());
    }
    rpassword::prompt_password(question)
        .context("the password cannot be read")
        .map_err(Exit::from)
}
