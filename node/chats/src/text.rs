//! What a file is, and its text. Its content decides, whatever its name says.

use crate::Error;

/// The largest file that is read.
pub const MAX_FILE_BYTES: usize = 20 << 20;
/// The most text of a file that is kept: more than any model's context has room for.
pub(crate) const MAX_TEXT_BYTES: usize = 2 << 20;
/// How far into a file `%PDF-` may stand.
const PDF_WITHIN: usize = 1024;
/// Of so many characters one may be a control character: text that was coloured for a terminal has a few.
const CHARS_PER_CONTROL: usize = 50;

/// The text of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileText {
    pub(crate) media_type: &'static str,
    pub(crate) text: String,
    pub(crate) is_cut: bool,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Text(FileText),
    /// Its text is still to be found.
    Pdf(Vec<u8>),
}

/// Looks at a file.
///
/// # Errors
/// What is no text; the error says what it is, as far as that can be seen.
pub(crate) fn of(bytes: Vec<u8>) -> Result<Found, Error> {
    if bytes.is_empty() {
        return Err(Error::refused("chat_file_empty", "the file is empty"));
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large());
    }
    let begin = &bytes[..bytes.len().min(PDF_WITHIN)];
    if begin.windows(5).any(|window| window == b"%PDF-") {
        return Ok(Found::Pdf(bytes));
    }
    if let Some((code, what)) = known_binary(&bytes) {
        return Err(Error::refused(code, what));
    }
    let text = decoded(bytes)?;
    cut("text/plain", text).map(Found::Text)
}

pub(crate) fn too_large() -> Error {
    Error::refused(
        "chat_file_too_large",
        format!(
            "the file is larger than {} MiB: take the part that matters",
            MAX_FILE_BYTES >> 20
        ),
    )
}

/// A text within the limit.
///
/// # Errors
/// One without a letter.
pub(crate) fn cut(media_type: &'static str, mut text: String) -> Result<FileText, Error> {
    if text.trim().is_empty() {
        return Err(Error::refused(
            "chat_file_no_text",
            "there is no text in this file",
        ));
    }
    let is_cut = text.len() > MAX_TEXT_BYTES;
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    Ok(FileText {
        media_type,
        text,
        is_cut,
    })
}

/// What is no text, by its first bytes.
fn known_binary(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let is_picture = begins(b"\x89PNG")
        || begins(b"\xff\xd8\xff")
        || begins(b"GIF8")
        || begins(b"II*\0")
        || begins(b"MM\0*")
        || (begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"))
        || (begins(b"BM") && bytes.get(6..10) == Some(&[0; 4]))
        || matches!(bytes.get(4..12), Some(b"ftypheic" | b"ftypavif" | b"ftypmif1"));
    if is_picture {
        return Some((
            "chat_file_picture",
            "the file is a picture: only text is read, so copy what stands in it, or send a PDF with text",
        ));
    }
    if begins(b"PK\x03\x04") {
        return Some((
            "chat_file_office",
            "the file is a ZIP archive or an Office document: unpack it, or save the document as PDF or as text",
        ));
    }
    if begins(b"\xd0\xcf\x11\xe0") {
        return Some((
            "chat_file_office",
            "the file is an old Office document: save it as PDF or as text",
        ));
    }
    None
}

fn decoded(bytes: Vec<u8>) -> Result<String, Error> {
    let text = match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        // UTF-32 begins as UTF-16 does.
        [0xFF, 0xFE, 0, 0, ..] => None,
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    };
    let is_control = |c: &char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}');
    let is_text = |text: &String| {
        let controls = text.chars().filter(is_control).count();
        !text.contains('\0') && controls <= text.len() / CHARS_PER_CONTROL
    };
    text.filter(is_text).ok_or_else(|| {
        Error::refused(
            "chat_file_not_text",
            "the file is not text in UTF-8: save it as text (UTF-8) or as PDF, and add it again",
        )
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|two| unit(*two)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Result<FileText, String> {
        match of(bytes.to_vec()) {
            Ok(Found::Text(found)) => Ok(found),
            Ok(Found::Pdf(_)) => Err("pdf".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn text_is_read_in_the_ways_in_which_it_is_written() {
        let utf16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = "Größe 1\n".encode_utf16().flat_map(unit);
            mark.into_iter().chain(units).collect()
        };
        for bytes in [
            "Größe 1\n".as_bytes().to_vec(),
            "\u{feff}Größe 1\n".as_bytes().to_vec(),
            utf16([0xFF, 0xFE], u16::to_le_bytes),
            utf16([0xFE, 0xFF], u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes).unwrap().text, "Größe 1\n");
        }
        assert_eq!(
            text(b"a\x1b[31mred, and much more of it, so that it is text\n\n\n")
                .unwrap()
                .media_type,
            "text/plain"
        );
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, said) in [
            (&b""[..], "empty"),
            (b" \n\t", "no text"),
            (b"\x89PNG\r\n\x1a\nIHDR", "picture"),
            (b"\xff\xd8\xff\xe0", "picture"),
            (b"PK\x03\x04word", "ZIP"),
            (b"\xd0\xcf\x11\xe0\xa1", "Office"),
            (b"caf\xe9 in an old encoding", "UTF-8"),
            (b"text with a \0 in it", "UTF-8"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-8"),
            (b"\xff\xfea", "UTF-8"),
            (b"\x01\x02\x03\x04", "UTF-8"),
        ] {
            let error = text(bytes).unwrap_err();
            assert!(error.contains(said), "{bytes:?}: {error}");
        }
        // A name does not matter, and neither does what stands before the mark.
        assert_eq!(text(b"rubbish\n%PDF-1.4 ...").unwrap_err(), "pdf");
    }

    #[test]
    fn a_long_text_is_cut_at_a_letter() {
        let found = text("ä".repeat(MAX_TEXT_BYTES).as_bytes()).unwrap();
        assert!(found.is_cut);
        assert_eq!(found.text.len(), MAX_TEXT_BYTES);
        let odd = format!("x{}", "ä".repeat(MAX_TEXT_BYTES));
        assert_eq!(text(odd.as_bytes()).unwrap().text.len(), MAX_TEXT_BYTES - 1);
        assert!(
            text(&vec![b'x'; MAX_FILE_BYTES + 1])
                .unwrap_err()
                .contains("20 MiB")
        );
    }
}
