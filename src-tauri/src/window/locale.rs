//! A usable locale for WebKit.
//!
//! Under `C` or `POSIX` (every server, container and test machine) WebKit says `navigator.language == "C"`, which
//! `Intl` refuses, so that the page stays white. A locale need not be installed to be named.

/// Starts this program anew with `LANG=en_US.UTF-8` if the locale is none that a page can use.
#[cfg(target_os = "linux")]
pub(super) fn restart_with_usable_locale() {
    use std::os::unix::process::CommandExt as _;

    #[allow(
        clippy::disallowed_methods,
        reason = "these variables are the system's, not settings of ours"
    )]
    let value = |name: &str| std::env::var(name).ok();
    let locale = effective(value("LC_ALL"), value("LC_MESSAGES"), value("LANG"));
    if is_usable(&locale) {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", "en_US.UTF-8")
        .exec();
    // Only reached where the program could not be started; a page in a wrong locale is better than none.
    tracing::warn!(%error, "could not start anew with a usable locale");
}

#[cfg(not(target_os = "linux"))]
pub(super) fn restart_with_usable_locale() {}

/// The first of the variables that says something.
#[cfg(target_os = "linux")]
fn effective(all: Option<String>, messages: Option<String>, lang: Option<String>) -> String {
    [all, messages, lang]
        .into_iter()
        .flatten()
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

#[cfg(target_os = "linux")]
fn is_usable(locale: &str) -> bool {
    !(locale.is_empty() || locale == "C" || locale == "POSIX" || locale.starts_with("C."))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_c_locale_is_not_usable() {
        let some = |text: &str| Some(text.to_owned());
        assert!(!is_usable(&effective(None, None, some("C.UTF-8"))));
        assert!(!is_usable(&effective(some(""), None, None)));
        assert!(!is_usable(&effective(some("POSIX"), some("de_DE.UTF-8"), None)));
        assert!(is_usable(&effective(None, None, some("de_DE.UTF-8"))));
    }
}
