//! What leaves the wallet: words, keys, addresses of words. All of it asks for the password of the wallet itself.

use hearth_pocket::address::Address;
use zeroize::Zeroizing;

use crate::{
    Error, armor,
    change::phrase_like,
    derive::{Path, derive_from},
    entry::{Entry, EntryId, Origin},
    handle::Wallet,
    mnemonic::Words,
};

/// How a key is exported.
#[derive(Clone, Debug)]
pub enum Form {
    /// 64 hex digits.
    Hex,
    /// As `pocketd keys import` reads it, under this passphrase.
    Armored(Zeroizing<String>),
}

/// Recovery words with all that is needed to find a key below them.
#[derive(Debug)]
pub struct Phrase {
    pub words: Words,
    /// Empty where there is none.
    pub passphrase: Zeroizing<String>,
    /// Where the key lies.
    pub path: Option<Path>,
}

impl Wallet {
    /// Shows the recovery words to the owner: the first that this wallet has.
    ///
    /// # Errors
    /// As [`Wallet::unlock`]; a wallet without words.
    pub fn reveal_words(&self, password: &str) -> Result<Words, Error> {
        Ok(self.export_words(None, password)?.words)
    }

    /// The words of an entry, else the first that are here.
    ///
    /// # Errors
    /// As [`Wallet::unlock`]; a key that has no words.
    pub fn export_words(&self, of: Option<EntryId>, password: &str) -> Result<Phrase, Error> {
        let opened = self.open_main(password)?;
        let phrase = phrase_like(&opened.file, of)?;
        let (words, passphrase) = opened.words(phrase).map_err(|why| self.damaged(why))?;
        let entry = of.and_then(|id| opened.file.entry(id));
        Ok(Phrase {
            words,
            passphrase,
            path: entry.and_then(|stored| stored.entry.path().cloned()),
        })
    }

    /// The accounts that come from the words of an entry, else from the first that are here: whose words
    /// [`Wallet::export_words`] gives. None where there are no words.
    #[must_use]
    pub fn accounts_of_words(&self, of: Option<EntryId>) -> Vec<Entry> {
        let keys = self.keys();
        let Some(file) = keys.file.as_ref() else {
            return Vec::new();
        };
        let Ok(wanted) = phrase_like(file, of) else {
            return Vec::new();
        };
        let is_theirs =
            |entry: &&Entry| matches!(&entry.origin, Origin::Words { phrase, .. } if *phrase == wanted);
        let entries = file.entries.iter().map(|stored| &stored.entry);
        entries.filter(is_theirs).cloned().collect()
    }

    /// The key of an entry.
    ///
    /// # Errors
    /// As [`Wallet::unlock`]; one that is only watched.
    pub fn export_key(&self, id: EntryId, form: &Form, password: &str) -> Result<Zeroizing<String>, Error> {
        let opened = self.open_main(password)?;
        let stored = opened
            .file
            .entry(id)
            .ok_or_else(|| Error::NoEntry(id.to_string()))?;
        let secret = opened.secret(stored).map_err(|why| self.damaged(why))?;
        let secret = secret.ok_or_else(|| Error::Watched {
            address: stored.entry.address.clone(),
        })?;
        match form {
            Form::Hex => Ok(Zeroizing::new(hex::encode(secret.bytes()))),
            Form::Armored(passphrase) => armor::write(&secret, passphrase).map_err(Error::Random),
        }
    }

    /// The addresses along the usual paths of words that are here.
    ///
    /// # Errors
    /// As [`Wallet::export_words`].
    pub fn candidates(&self, of: Option<EntryId>, password: &str) -> Result<Vec<(Path, Address)>, Error> {
        let Phrase {
            words, passphrase, ..
        } = self.export_words(of, password)?;
        Ok(candidates(&words, &passphrase))
    }

    /// Compares words that the owner typed from paper with the wallet's own, and notes a passed check. Needs no
    /// password: words are the wallet's if they give its addresses.
    ///
    /// # Errors
    /// No wallet, words of another one.
    pub fn check_words(&self, words: &Words) -> Result<(), Error> {
        let _turn = self.inner.changing.lock();
        let mut file = self.keys().file.clone().ok_or(Error::None)?;
        let seed = words.seed("");
        let found = file.entries.iter().find_map(|stored| match &stored.entry.origin {
            Origin::Words { phrase, path } => {
                let address = derive_from(&seed, path).key().address().clone();
                (address == stored.entry.address).then_some(*phrase)
            }
            Origin::Raw | Origin::Armored | Origin::Watch => None,
        });
        let found = found.ok_or(Error::OtherWords)?;
        for phrase in file.phrases.iter_mut().filter(|phrase| phrase.id == found) {
            phrase.is_checked = true;
        }
        self.keep_file(file)
    }
}

/// The addresses along the usual paths of some words.
#[must_use]
pub fn candidates(words: &Words, passphrase: &str) -> Vec<(Path, Address)> {
    let seed = words.seed(passphrase);
    let paths = Path::usual_ones();
    paths
        .map(|path| {
            let address = derive_from(&seed, &path).key().address().clone();
            (path, address)
        })
        .collect()
}
