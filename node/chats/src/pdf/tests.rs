//! The parent's half, with children that behave and some that do not.

use std::io::IsTerminal as _;

use super::*;
use crate::testing::pdf;

/// The child of the tests: this test alone, in a process of its own. Without a file it says that it has none.
#[test]
fn as_child() {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        serve(stdin.lock(), io::stdout().lock()).unwrap();
    }
}

fn reader() -> PdfReader {
    let args = ["pdf::tests::as_child", "--exact", "--nocapture"];
    PdfReader::new(
        std::env::current_exe().unwrap(),
        args.map(OsString::from).to_vec(),
    )
}

#[tokio::test]
async fn a_pdf_is_read_by_a_child() {
    let found = reader().read(pdf(&["Boats float."])).await.unwrap();
    assert_eq!(
        (found.media_type, found.text.as_str(), found.is_cut),
        ("application/pdf", "Boats float.", false)
    );
    for (bytes, said) in [
        (pdf(&[""]), "OCR"),
        (b"%PDF-1.4".to_vec(), "damaged"),
        (b"%PDF-1.4 /Encrypt".to_vec(), "password"),
    ] {
        let error = reader().read(bytes).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// A small file whose stream unpacks to far more than a reader may have.
#[tokio::test]
async fn a_file_that_unpacks_without_end_is_given_up() {
    let bomb = crate::testing::pdf_bomb(8 << 30);
    assert!(bomb.len() < 16 << 20, "{}", bomb.len());
    let bounded = PdfReader {
        bounds: Bounds {
            within: READ_WITHIN,
            memory: 256 << 20,
        },
        ..reader()
    };
    let error = bounded.read(bomb).await.unwrap_err().to_string();
    assert!(error.contains("too much"), "{error}");
}

#[cfg(unix)]
fn script(text: &str, bounds: Bounds) -> PdfReader {
    PdfReader {
        bounds,
        ..PdfReader::new("/bin/sh".into(), vec!["-c".into(), text.into()])
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_child_that_misbehaves_is_ended() {
    let wide = Bounds {
        within: READ_WITHIN,
        memory: MAX_MEMORY,
    };
    let short = Bounds {
        within: Duration::from_millis(200),
        ..wide
    };
    let small = Bounds {
        memory: 64 << 20,
        ..wide
    };
    for (text, bounds, said) in [
        // It hangs, and never reads.
        ("sleep 1000", short, "too much time"),
        ("exit 3", wide, "damaged"),
        // It says far too much.
        ("cat /dev/zero", wide, "damaged"),
        ("printf '\\nhearth-pdf text 9\\nshort'", wide, "damaged"),
        (
            "x=$(head -c 200000000 /dev/zero | tr '\\0' a); sleep 1000",
            small,
            "too much time",
        ),
    ] {
        let file = vec![b'x'; 1 << 20];
        let error = script(text, bounds).read(file).await.unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    let none = PdfReader::new("/nowhere/at/all".into(), Vec::new());
    assert!(matches!(none.read(Vec::new()).await, Err(Error::System(_))));
}

#[test]
fn a_frame_is_found_behind_what_libraries_say() {
    let said = b"running 1 test\nhearth-pdf cut 3\nabc and more";
    assert_eq!(frame(said), Some((Outcome::Cut, &b"abc"[..])));
    for broken in [
        "",
        "\nhearth-pdf ",
        "\nhearth-pdf text\n",
        "\nhearth-pdf text x\n",
        "\nhearth-pdf odd 1\na",
    ] {
        assert_eq!(frame(broken.as_bytes()), None, "{broken}");
    }
}
