//! What was asked for, by whom, and what it cost.

use axum::{Json, extract::State, http::Uri};

use crate::{app::App, control::types::UsageReport, error::ApiError, storage::KEEP_DAYS};

/// Days of a report unless told.
const DEFAULT_DAYS: u32 = 30;

pub(crate) async fn report(State(app): State<App>, uri: Uri) -> Result<Json<UsageReport>, ApiError> {
    let (mut days, mut asker) = (DEFAULT_DAYS, None);
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "days" => {
                let number = value
                    .parse::<u32>()
                    .ok()
                    .filter(|days| (1..=KEEP_DAYS).contains(days));
                days = number.ok_or_else(|| {
                    ApiError::bad_request(format!("days is \"{value}\": it must be 1 to {KEEP_DAYS}"))
                })?;
            }
            "asker" => asker = Some(value.into_owned()),
            other => {
                return Err(ApiError::bad_request(format!(
                    "\"{other}\" is no parameter of this call"
                )));
            }
        }
    }
    Ok(Json(app.usage.report(days, asker.as_deref()).await?))
}
