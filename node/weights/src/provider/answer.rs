//! What an answer of a gateway means, apart from how it was got.

use super::SourceError;

pub(crate) const RAW_TYPE: &str = "application/vnd.ipld.raw";
pub(crate) const CAR_TYPE: &str = "application/vnd.ipld.car";

/// Accepts the head of an answer that should be of type `wanted`.
pub(crate) fn check_head(
    source_name: &str,
    status: u16,
    content_type: Option<&str>,
    retry_after: Option<&str>,
    wanted: &str,
) -> Result<(), SourceError> {
    let source_name = source_name.to_owned();
    match status {
        200 => {}
        // 412: not in its cache; 504: searched in vain.
        404 | 412 | 504 => return Err(SourceError::NotThere { source_name }),
        410 | 451 => return Err(SourceError::Refused { source_name, status }),
        429 | 503 => {
            let retry_after_s = retry_after.and_then(|text| text.trim().parse().ok());
            return Err(SourceError::Busy {
                source_name,
                status,
                retry_after_s,
            });
        }
        _ => return Err(SourceError::Status { source_name, status }),
    }
    let content_type = content_type.unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(SourceError::ContentType {
        source_name,
        content_type: content_type.chars().take(80).collect(),
    })
}
