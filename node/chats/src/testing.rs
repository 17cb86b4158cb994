//! Small PDFs, for tests.

use std::fmt::Write as _;

/// A PDF with a page for each text, in letters of ASCII without brackets.
#[must_use]
pub fn pdf(pages: &[&str]) -> Vec<u8> {
    let content = |text: &&str| format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET").into_bytes();
    let streams: Vec<(Vec<u8>, &str)> = pages.iter().map(|text| (content(text), "")).collect();
    written(&streams)
}

/// A PDF whose only page unpacks to so many bytes at least.
#[must_use]
pub fn pdf_bomb(bytes: usize) -> Vec<u8> {
    // Packed zeros are one byte over and over, each for about a thousand: more of them is more zeros.
    const PER_BYTE: usize = 1000;
    let mut stream = pdf_extract::Stream::new(pdf_extract::Dictionary::new(), vec![0; 8 << 20]);
    // What cannot be packed stays as it is, and is no bomb then.
    let _ = stream.compress();
    let mut packed = stream.content;
    let middle = packed.len() / 2;
    let more = vec![packed.get(middle).copied().unwrap_or_default(); bytes / PER_BYTE];
    packed.splice(middle..middle, more);
    written(&[(packed, "/Filter /FlateDecode")])
}

/// The file around the contents of its pages.
fn written(pages: &[(Vec<u8>, &str)]) -> Vec<u8> {
    let mut objects: Vec<Vec<u8>> = Vec::new();
    let page_ids: Vec<usize> = (0..pages.len()).map(|page| 4 + 2 * page).collect();
    let mut kids = String::new();
    for id in &page_ids {
        // Writing into a string does not fail.
        let _ = write!(kids, "{id} 0 R ");
    }
    objects.push(b"<< /Type /Catalog /Pages 2 0 R >>".to_vec());
    objects.push(format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len()).into_bytes());
    objects
        .push(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec());
    for (id, (content, filter)) in page_ids.iter().zip(pages) {
        objects.push(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R \
                 /Resources << /Font << /F1 3 0 R >> >> >>",
                id + 1
            )
            .into_bytes(),
        );
        let mut stream = format!("<< /Length {} {filter} >>\nstream\n", content.len()).into_bytes();
        stream.extend_from_slice(content);
        stream.extend_from_slice(b"\nendstream");
        objects.push(stream);
    }
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let xref = file.len();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        let _ = writeln!(table, "{place:010} 00000 n ");
    }
    let _ = write!(
        table,
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{xref}\n%%EOF\n",
        objects.len() + 1
    );
    file.extend_from_slice(table.as_bytes());
    file
}
