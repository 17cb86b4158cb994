//! What an answer of a gateway means, apart from how it was got.

use super::SourceError;

pub(crate) const RAW_TYPE: &str = "application/vnd.ipld.raw";
pub(crate) const CAR_TYPE: &str = "application/vnd.ipld.car";

/// Accepts the head of an answer by its status. What type it says it has is no matter: all blocks are hashed.
pub(crate) fn check_head(
    source_name: &str,
    status: u16,
    retry_after: Option<&str>,
    date: Option<&str>,
) -> Result<(), SourceError> {
    let source_name = source_name.to_owned();
    match status {
        200 => Ok(()),
        // 412: not in its cache; 504: searched in vain.
        404 | 412 | 504 => Err(SourceError::NotThere { source_name }),
        410 | 451 => Err(SourceError::Refused { source_name, status }),
        429 | 503 => {
            let retry_after_s = retry_after.and_then(|text| seconds(text, date));
            Err(SourceError::Busy {
                source_name,
                status,
                retry_after_s,
            })
        }
        _ => Err(SourceError::Status { source_name, status }),
    }
}

/// What `Retry-After` says: seconds, or a moment, which counts from the answer's own `Date`, whatever our clock says.
fn seconds(retry_after: &str, date: Option<&str>) -> Option<u64> {
    if let Ok(seconds) = retry_after.trim().parse() {
        return Some(seconds);
    }
    let until = httpdate::parse_http_date(retry_after.trim()).ok()?;
    let from = httpdate::parse_http_date(date?.trim()).ok()?;
    until.duration_since(from).ok().map(|wait| wait.as_secs())
}

/// Whether the status says that this kind of question is not understood, though another may be.
pub(crate) fn refuses_the_form(status: u16) -> bool {
    matches!(status, 400 | 405 | 406 | 415 | 422 | 501)
}

/// The type that an answer says it has, for the message where its bytes are not what was asked for; `None` if it is
/// that of blocks.
pub(crate) fn foreign_type(content_type: Option<&str>) -> Option<String> {
    let essence = content_type?.split(';').next().unwrap_or_default().trim();
    let is_ours = [RAW_TYPE, CAR_TYPE, "application/octet-stream"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known));
    (!is_ours).then(|| essence.chars().take(80).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_source_says_in_seconds_or_by_a_moment_when_to_come_back() {
        let date = Some("Sun, 29 Nov 2026 10:00:00 GMT");
        for (retry_after, date, wanted) in [
            (" 120 ", None, Some(120)),
            ("Sun, 29 Nov 2026 10:02:00 GMT", date, Some(120)),
            ("Sun, 29 Nov 2026 09:00:00 GMT", date, None),
            ("Sun, 29 Nov 2026 10:02:00 GMT", None, None),
            ("soon", date, None),
        ] {
            assert_eq!(seconds(retry_after, date), wanted, "{retry_after} at {date:?}");
        }
    }
}
