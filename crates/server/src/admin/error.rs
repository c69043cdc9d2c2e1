//! Errors of the admin API: `{"error": {"code", "message", "hint"}}`, with the codes of docs/errors.md.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use gatehouse_domain::Code;
use gatehouse_store::StoreError;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What the admin API answers when it does not do what was asked.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: Code,
    status: StatusCode,
    message: String,
    hint: String,
    retry_after_secs: Option<u64>,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The error.
    pub(crate) error: ErrorDetail,
}

/// One error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// Stable; clients may match on it.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: String,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { code, status, message: message.into(), hint: hint.into(), retry_after_secs: None }
    }

    pub(crate) fn invalid(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message, hint)
    }

    pub(crate) fn not_found(what: &str, hint: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."), hint)
    }

    /// The object is in a state that does not allow it.
    pub(crate) fn conflict(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, ..Self::invalid(message, hint) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn sentence(&self) -> String {
        format!("{} {}", self.message, self.hint)
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_secs: Some(seconds), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorDetail { code: self.code.as_str(), message: self.message, hint: self.hint };
        let mut response = (self.status, Json(ErrorBody { error })).into_response();
        // For the audit log, which does not read bodies.
        response.extensions_mut().insert(self.code);
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, http::HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_secs {
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists { what } => Self::conflict(format!("There is already {what}."), "Try again."),
            busy if busy.is_busy() => {
                Self::new(Code::Overloaded, "The database is busy.", "Try again in a moment.").retry_after(1)
            }
            other => Self::new(Code::Internal, other.to_string(), "`gatehouse doctor` looks at the data folder."),
        }
    }
}

// Rejections say exactly what is wrong; they only lack the shape.

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let hint = "Send the JSON object that /api/v1/openapi.json describes for this path.";
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMedia,
            _ if matches!(rejection, JsonRejection::JsonSyntaxError(_)) => Code::InvalidJson,
            _ => Code::InvalidRequest,
        };
        Self::new(code, rejection.body_text(), hint)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text(), "See /api/v1/openapi.json for the parameters of this path.")
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(rejection.body_text(), "Names in a path are percent-encoded UTF-8.")
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_domain::Code;

    #[test]
    fn every_code_is_on_the_errors_page_with_its_status() {
        let page = include_str!("../../../../docs/errors.md");
        for code in Code::ALL {
            let start = format!("| `{code}` | {} | ", code.status());
            assert!(page.lines().any(|line| line.starts_with(&start)), "docs/errors.md lacks a row {start}");
        }
    }
}
