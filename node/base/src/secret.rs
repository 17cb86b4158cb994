//! Secret texts: tokens, keys, passwords.

use zeroize::Zeroizing;

/// A secret text. It has no `Debug` and no `Display`, so that no log and no error can hold it by accident: whoever
/// writes it somewhere says [`Secret::reveal`]. Its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        text.to_owned().into()
    }
}

/// Whether a type has `Debug`, for tests that hold secrets to having none.
#[macro_export]
macro_rules! has_debug {
    ($type:ty) => {{
        #[allow(dead_code, reason = "one of the two is used")]
        trait Without {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Without for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "one of the two is used")]
        impl<T: ?Sized + std::fmt::Debug> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_cannot_be_logged_by_accident() {
        assert!(crate::has_debug!(String));
        assert!(!crate::has_debug!(Secret));
        assert_eq!(Secret::from("word".to_owned()).reveal(), "word");
    }
}
