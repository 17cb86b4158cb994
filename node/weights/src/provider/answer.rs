//! What an answer of a gateway means, apart from how it was got.

use super::SourceError;

pub(crate) const RAW_TYPE: &str = "application/vnd.ipld.raw";
pub(crate) const CAR_TYPE: &str = "application/vnd.ipld.car";

/// Accepts the head of an answer by its status. What type it says it has is no matter: all blocks are hashed.
pub(crate) fn check_head(
    source_name: &str,
    status: u16,
    retry_after: Option<&str>,
) -> Result<(), SourceError> {
    let source_name = source_name.to_owned();
    match status {
        200 => Ok(()),
        // 412: not in its cache; 504: searched in vain.
        404 | 412 | 504 => Err(SourceError::NotThere { source_name }),
        410 | 451 => Err(SourceError::Refused { source_name, status }),
        429 | 503 => {
            let retry_after_s = retry_after.and_then(|text| text.trim().parse().ok());
            Err(SourceError::Busy {
                source_name,
                status,
                retry_after_s,
            })
        }
        _ => Err(SourceError::Status { source_name, status }),
    }
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
