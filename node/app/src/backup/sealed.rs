//! A backup in one file that a passphrase opens.
//!
//! ```text
//! "hearth-backup-1\n" │ length of the head, 4 bytes │ head, JSON │ frame │ frame │ … │ last frame
//! ```
//! The passphrase is stretched by Argon2id. Each frame is up to 64 KiB under XChaCha20-Poly1305; its nonce has its number
//! and whether it is the last, and the head is authenticated with it: frames cannot be changed, left out, put in another
//! order or cut off. What the frames hold is a list of files: length of the name, name, size, bytes.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use hearth_base::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const MAGIC: &[u8; 16] = b"hearth-backup-1\n";
/// Plain bytes of a frame.
const FRAME: usize = 64 << 10;
/// What the cipher adds to a frame.
const TAG: usize = 16;
/// A head is one short line.
const MAX_HEAD: u32 = 4 << 10;
/// Names of files in a backup are short paths.
const MAX_NAME: u32 = 1 << 10;
/// A backup has a database, a keystore and a configuration.
const MAX_FILES: usize = 10_000;

/// Why a file cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("this is no sealed backup of Hearth")]
    NotSealed,
    #[error("the passphrase is wrong, or the file was changed")]
    Wrong,
    #[error("the file is damaged or cut off after {0} bytes")]
    Damaged(u64),
    #[error("the file is not made as Hearth makes it: {0}")]
    Form(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What must be known to open the frames.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    kdf: String,
    cipher: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// Hex.
    salt: String,
    /// Hex: what the nonces of all frames begin with.
    nonce: String,
}

const KDF: &str = "argon2id-19";
const CIPHER: &str = "xchacha20poly1305";

/// How hard a guess is.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    memory_kib: u32,
    passes: u32,
}

impl Cost {
    /// A second of a usual computer.
    pub(super) const STRONG: Cost = Cost {
        memory_kib: 256 << 10,
        passes: 3,
    };
    #[cfg(test)]
    pub(super) const PLAY: Cost = Cost {
        memory_kib: 32,
        passes: 1,
    };
}

/// Whether a file begins as a sealed backup does.
pub(super) fn is_sealed(path: &Path) -> bool {
    let mut magic = [0; 16];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut magic).is_ok()) && &magic == MAGIC
}

/// Writes files of a folder into a new sealed file.
pub(super) fn seal(
    folder: &Path,
    files: &[PathBuf],
    to: &File,
    passphrase: &Secret,
    cost: Cost,
) -> Result<(), SealError> {
    let (mut salt, mut nonce) = ([0_u8; 16], [0_u8; 19]);
    for bytes in [&mut salt[..], &mut nonce[..]] {
        getrandom::fill(bytes).map_err(|error| SealError::Form(error.to_string()))?;
    }
    let head = Head {
        kdf: KDF.to_owned(),
        cipher: CIPHER.to_owned(),
        memory_kib: cost.memory_kib,
        passes: cost.passes,
        lanes: 1,
        salt: hex::encode(salt),
        nonce: hex::encode(nonce),
    };
    let mut out = BufWriter::new(to);
    let head_bytes = serde_json::to_vec(&head).map_err(io::Error::other)?;
    out.write_all(MAGIC)?;
    out.write_all(&u32::try_from(head_bytes.len()).unwrap_or(u32::MAX).to_le_bytes())?;
    out.write_all(&head_bytes)?;
    let mut frames = Frames::new(&head, head_bytes, passphrase, out)?;
    for name in files {
        let text = name.to_string_lossy().into_owned();
        let mut file = File::open(folder.join(name))?;
        let size = file.metadata()?.len();
        frames.write_all(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        frames.write_all(text.as_bytes())?;
        frames.write_all(&size.to_le_bytes())?;
        io::copy(&mut Read::by_ref(&mut file).take(size), &mut frames)?;
    }
    frames.write_all(&0_u32.to_le_bytes())?;
    let file = frames
        .finish()?
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    Ok(file.sync_all()?)
}

/// Unpacks a sealed file into a folder.
pub(super) fn unseal(from: &Path, into: &Path, passphrase: &Secret) -> Result<(), SealError> {
    let mut file = BufReader::new(File::open(from)?);
    let mut magic = [0; 16];
    file.read_exact(&mut magic).map_err(|_| SealError::NotSealed)?;
    if &magic != MAGIC {
        return Err(SealError::NotSealed);
    }
    let length = read_u32(&mut file).map_err(|_| SealError::NotSealed)?;
    if length > MAX_HEAD {
        return Err(SealError::NotSealed);
    }
    let mut head_bytes = vec![0; length as usize];
    file.read_exact(&mut head_bytes)
        .map_err(|_| SealError::NotSealed)?;
    let head: Head =
        serde_json::from_slice(&head_bytes).map_err(|error| SealError::Form(error.to_string()))?;
    let mut frames = Frames::new(&head, head_bytes, passphrase, file)?.reader();
    let read = |frames: &mut Reader| unpack(frames, into);
    read(&mut frames).map_err(|error| match error {
        // The reader says it in an error of reading.
        SealError::Io(error) => match error.downcast::<SealError>() {
            Ok(error) => error,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => SealError::Damaged(frames.n_read),
            Err(error) => SealError::Io(error),
        },
        error @ (SealError::NotSealed | SealError::Wrong | SealError::Damaged(_) | SealError::Form(_)) => {
            error
        }
    })
}

fn unpack(frames: &mut Reader, into: &Path) -> Result<(), SealError> {
    for _ in 0..MAX_FILES {
        let length = read_u32(frames)?;
        if length == 0 {
            // What comes after the end would be nobody's.
            let mut rest = [0];
            return match frames.read(&mut rest)? {
                0 => Ok(()),
                _ => Err(SealError::Form("there is something after its end".to_owned())),
            };
        }
        if length > MAX_NAME {
            return Err(SealError::Form("the name of a file is too long".to_owned()));
        }
        let mut name = vec![0; length as usize];
        frames.read_exact(&mut name)?;
        let name = String::from_utf8(name).map_err(|_| SealError::Form("a name is no text".to_owned()))?;
        if !super::is_inside(Path::new(&name)) {
            return Err(SealError::Form(format!("\"{name}\" leads out of the backup")));
        }
        let mut size = [0; 8];
        frames.read_exact(&mut size)?;
        let size = u64::from_le_bytes(size);
        let path = into.join(&name);
        make_between(into, &path)?;
        let mut file = File::create_new(&path)?;
        if io::copy(&mut Read::by_ref(frames).take(size), &mut file)? != size {
            return Err(SealError::Damaged(frames.n_read));
        }
    }
    Err(SealError::Form(format!("it has more than {MAX_FILES} files")))
}

/// Makes the folders between `into` and a file in it. `into` itself is there, or was removed because nobody wants it any
/// more: it does not come back.
fn make_between(into: &Path, path: &Path) -> io::Result<()> {
    let inside = path.parent().and_then(|folder| folder.strip_prefix(into).ok());
    let mut folder = into.to_owned();
    for part in inside.unwrap_or(Path::new("")) {
        folder.push(part);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => crate::scratch::close_to_others(&folder)?,
        }
    }
    Ok(())
}

fn read_u32(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// What writes frames, and what it takes to read them.
struct Frames<T> {
    cipher: XChaCha20Poly1305,
    head: Vec<u8>,
    nonce: [u8; 19],
    number: u32,
    held: Vec<u8>,
    file: T,
}

impl<T> Frames<T> {
    fn new(head: &Head, head_bytes: Vec<u8>, passphrase: &Secret, file: T) -> Result<Frames<T>, SealError> {
        let form = |what: &str| SealError::Form(what.to_owned());
        if head.kdf != KDF || head.cipher != CIPHER {
            return Err(form("it is sealed in a way that this Hearth does not know"));
        }
        // A stranger's file must not take all memory.
        if head.memory_kib > 1 << 20 || head.passes > 16 || head.lanes > 8 {
            return Err(form("it asks for more memory or time than a passphrase needs"));
        }
        let (mut salt, mut nonce) = ([0_u8; 16], [0_u8; 19]);
        hex::decode_to_slice(&head.salt, &mut salt).map_err(|_| form("its salt is none"))?;
        hex::decode_to_slice(&head.nonce, &mut nonce).map_err(|_| form("its nonce is none"))?;
        let params = Params::new(head.memory_kib, head.passes, head.lanes, Some(32))
            .map_err(|_| form("its cost figures are impossible"))?;
        let mut key = Zeroizing::new([0_u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.reveal().as_bytes(), &salt, &mut *key)
            .map_err(|_| form("its cost figures are impossible"))?;
        Ok(Frames {
            cipher: XChaCha20Poly1305::new((&*key).into()),
            head: head_bytes,
            nonce,
            number: 0,
            held: Vec::with_capacity(FRAME),
            file,
        })
    }

    /// The nonce of the next frame.
    fn next_nonce(&mut self, is_last: bool) -> Result<[u8; 24], SealError> {
        let mut nonce = [0; 24];
        nonce[..19].copy_from_slice(&self.nonce);
        nonce[19..23].copy_from_slice(&self.number.to_be_bytes());
        nonce[23] = u8::from(is_last);
        let next = self.number.checked_add(1);
        self.number = next.ok_or_else(|| SealError::Form("it is too large".to_owned()))?;
        Ok(nonce)
    }
}

impl<T: Write> Frames<T> {
    fn put(&mut self, is_last: bool) -> Result<(), SealError> {
        let nonce = self.next_nonce(is_last)?;
        let payload = Payload {
            msg: &self.held,
            aad: &self.head,
        };
        let sealed = self
            .cipher
            .encrypt((&nonce).into(), payload)
            .map_err(|_| SealError::Form("a frame cannot be sealed".to_owned()))?;
        self.file.write_all(&sealed)?;
        self.held.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<T, SealError> {
        self.put(true)?;
        self.file.flush()?;
        Ok(self.file)
    }
}

impl<T: Write> Write for Frames<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full frame goes only when more comes: the last one is marked.
        if self.held.len() == FRAME {
            self.put(false).map_err(io::Error::other)?;
        }
        let n_taken = bytes.len().min(FRAME - self.held.len());
        self.held.extend_from_slice(&bytes[..n_taken]);
        Ok(n_taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What reads frames.
struct Reader {
    frames: Frames<BufReader<File>>,
    /// What follows the frame that is read, still sealed; empty after the last.
    ahead: Vec<u8>,
    plain: Vec<u8>,
    at: usize,
    n_read: u64,
    is_over: bool,
}

impl Frames<BufReader<File>> {
    fn reader(self) -> Reader {
        Reader {
            frames: self,
            ahead: Vec::new(),
            plain: Vec::new(),
            at: 0,
            n_read: 0,
            is_over: false,
        }
    }

    fn sealed_frame(&mut self) -> io::Result<Vec<u8>> {
        let mut sealed = Vec::new();
        Read::by_ref(&mut self.file)
            .take((FRAME + TAG) as u64)
            .read_to_end(&mut sealed)?;
        Ok(sealed)
    }
}

impl Reader {
    fn fill(&mut self) -> Result<(), SealError> {
        if self.frames.number == 0 {
            self.ahead = self.frames.sealed_frame()?;
        }
        let sealed = std::mem::replace(&mut self.ahead, self.frames.sealed_frame()?);
        let is_last = self.ahead.is_empty();
        let is_first = self.frames.number == 0;
        let nonce = self.frames.next_nonce(is_last)?;
        let payload = Payload {
            msg: &sealed,
            aad: &self.frames.head,
        };
        let opened = self.frames.cipher.decrypt((&nonce).into(), payload);
        // The first frame tells a wrong passphrase; where it opened, the file is damaged after it.
        self.plain = opened.map_err(|_| {
            if is_first {
                SealError::Wrong
            } else {
                SealError::Damaged(self.n_read)
            }
        })?;
        self.at = 0;
        self.n_read += self.plain.len() as u64;
        self.is_over = is_last;
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.plain.len() {
            if self.is_over {
                return Ok(0);
            }
            self.fill().map_err(io::Error::other)?;
        }
        let n_read = into.len().min(self.plain.len() - self.at);
        into[..n_read].copy_from_slice(&self.plain[self.at..self.at + n_read]);
        self.at += n_read;
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sealed(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        for (name, bytes) in files {
            let path = from.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let names: Vec<PathBuf> = files.iter().map(|(name, _)| name.into()).collect();
        let to = folder.path().join("backup");
        let file = File::create_new(&to).unwrap();
        seal(&from, &names, &file, &Secret::from("correct horse"), Cost::PLAY).unwrap();
        (folder, to)
    }

    fn open(from: &Path, passphrase: &str) -> Result<tempfile::TempDir, SealError> {
        let into = tempfile::tempdir().unwrap();
        unseal(from, into.path(), &Secret::from(passphrase)).map(|()| into)
    }

    #[test]
    fn files_of_every_size_come_back_to_the_byte() {
        for size in [0, 1, FRAME - 20, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let (_folder, path) = sealed(&[
                ("hearth.db", bytes.clone()),
                ("keystore/wallet.json", b"{}".to_vec()),
            ]);
            assert!(is_sealed(&path));
            let into = open(&path, "correct horse").unwrap();
            assert_eq!(fs::read(into.path().join("hearth.db")).unwrap(), bytes, "{size}");
            assert_eq!(fs::read(into.path().join("keystore/wallet.json")).unwrap(), b"{}");
            assert!(
                !fs::read(&path)
                    .unwrap()
                    .windows(10)
                    .any(|part| part == b"wallet.jso")
            );
        }
    }

    #[test]
    fn a_wrong_passphrase_and_every_change_are_found() {
        let (folder, path) = sealed(&[("hearth.db", vec![7; 2 * FRAME])]);
        assert!(matches!(open(&path, "wrong horse"), Err(SealError::Wrong)));
        let whole = fs::read(&path).unwrap();
        let changed = folder.path().join("changed");
        let try_it = |bytes: &[u8]| {
            fs::write(&changed, bytes).unwrap();
            open(&changed, "correct horse").unwrap_err()
        };
        let head_end = 20 + u32::from_le_bytes(whole[16..20].try_into().unwrap()) as usize;
        for at in [30, head_end + 5, head_end + FRAME + TAG + 5, whole.len() - 1] {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            let _ = try_it(&torn);
        }
        // A frame that is left out, and an end that is cut off where a frame ends.
        let cut = &whole[..head_end + FRAME + TAG];
        assert!(matches!(try_it(cut), SealError::Wrong | SealError::Damaged(_)));
        let mut without = whole[..head_end].to_vec();
        without.extend(&whole[head_end + FRAME + TAG..]);
        assert!(matches!(try_it(&without), SealError::Wrong));
        assert!(matches!(
            try_it(b"PK\x03\x04 something else"),
            SealError::NotSealed
        ));
        assert!(matches!(try_it(b""), SealError::NotSealed));
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("evil"), b"x").unwrap();
        let to = folder.path().join("backup");
        let passphrase = Secret::from("p");
        seal(
            &folder.path().join("in"),
            &["../evil".into()],
            &File::create_new(&to).unwrap(),
            &passphrase,
            Cost::PLAY,
        )
        .unwrap();
        let into = tempfile::tempdir().unwrap();
        let error = unseal(&to, into.path(), &passphrase).unwrap_err();
        assert!(error.to_string().contains("leads out"), "{error}");
    }

    #[test]
    fn a_folder_that_was_removed_does_not_come_back() {
        let (folder, path) = sealed(&[("keystore/wallet.json", b"{}".to_vec())]);
        let into = folder.path().join("gone");
        let error = unseal(&path, &into, &Secret::from("correct horse")).unwrap_err();
        assert!(matches!(error, SealError::Io(error) if error.kind() == io::ErrorKind::NotFound));
        assert!(!into.exists());
    }

    #[test]
    fn a_stranger_cannot_ask_for_all_memory() {
        let (folder, path) = sealed(&[("a", b"x".to_vec())]);
        let whole = fs::read(&path).unwrap();
        let length = u32::from_le_bytes(whole[16..20].try_into().unwrap()) as usize;
        let mut head: serde_json::Value = serde_json::from_slice(&whole[20..20 + length]).unwrap();
        head["memory_kib"] = (4_000_000_000_u32).into();
        let head = serde_json::to_vec(&head).unwrap();
        let mut bytes = whole[..16].to_vec();
        bytes.extend(u32::try_from(head.len()).unwrap().to_le_bytes());
        bytes.extend(&head);
        let evil = folder.path().join("evil");
        fs::write(&evil, bytes).unwrap();
        let error = open(&evil, "correct horse").unwrap_err();
        assert!(error.to_string().contains("memory"), "{error}");
    }
}
