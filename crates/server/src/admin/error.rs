//! Errors of the admin API: `{"error": {"code", "message", "hint"}}`, with the codes of docs/errors.md.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use gatehouse_domain::Code;
use gatehouse_store::StoreError;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::Wrong;

/// What the admin API answers when it does not do what was asked.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: &'static str,
    status: StatusCode,
    message: String,
    hint: String,
    wrong: Vec<Wrong>,
    retry_after_secs: Option<u64>,
}

/// Codes that no caller of the data plane ever sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AdminCode {
    /// The object is declared in the configuration file, where it is changed.
    DeclaredInFile,
    /// Something else has the name.
    NameTaken,
    /// Something refers to what is to be deleted.
    StillReferenced,
    /// The object is not in the version the caller knows.
    VersionMismatch,
    /// The configuration would not work with this object.
    InvalidObject,
    /// Too many wrong keys.
    TooManyAttempts,
    /// The object's state does not allow it.
    Conflict,
}

impl AdminCode {
    /// Every one, in the order of docs/errors.md.
    #[cfg(test)]
    const ALL: [Self; 7] = [
        Self::DeclaredInFile,
        Self::NameTaken,
        Self::StillReferenced,
        Self::VersionMismatch,
        Self::InvalidObject,
        Self::TooManyAttempts,
        Self::Conflict,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::DeclaredInFile => "declared_in_file",
            Self::NameTaken => "name_taken",
            Self::StillReferenced => "still_referenced",
            Self::VersionMismatch => "version_mismatch",
            Self::InvalidObject => "invalid_object",
            Self::TooManyAttempts => "too_many_attempts",
            Self::Conflict => "conflict",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::DeclaredInFile | Self::NameTaken | Self::StillReferenced | Self::Conflict => StatusCode::CONFLICT,
            Self::VersionMismatch => StatusCode::PRECONDITION_FAILED,
            Self::InvalidObject => StatusCode::BAD_REQUEST,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// The code of a refusal, in the extensions of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused(pub(crate) &'static str);

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
    /// Each thing that is wrong, where there may be several, or each that stands in the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) wrong: Vec<Wrong>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::made(code.as_str(), status, message.into(), hint.into())
    }

    pub(crate) fn of(code: AdminCode, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::made(code.as_str(), code.status(), message.into(), hint.into())
    }

    fn made(code: &'static str, status: StatusCode, message: String, hint: String) -> Self {
        Self { code, status, message, hint, wrong: Vec::new(), retry_after_secs: None }
    }

    pub(crate) fn invalid(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message, hint)
    }

    pub(crate) fn not_found(what: &str, hint: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."), hint)
    }

    /// The object is in a state that does not allow it.
    pub(crate) fn conflict(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::of(AdminCode::Conflict, message, hint)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn refused(&self) -> Refused {
        Refused(self.code)
    }

    pub(crate) fn sentence(&self) -> String {
        format!("{} {}", self.message, self.hint)
    }

    pub(crate) fn wrong(self, wrong: Vec<Wrong>) -> Self {
        Self { wrong, ..self }
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_secs: Some(seconds), ..self }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = ErrorDetail { code: self.code, message: self.message, hint: self.hint, wrong: self.wrong };
        let mut response = (self.status, Json(ErrorBody { error })).into_response();
        response.extensions_mut().insert(Refused(self.code));
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

    use super::AdminCode;

    #[test]
    fn every_code_of_this_api_is_on_the_errors_page_with_its_status() {
        let page = include_str!("../../../../docs/errors.md");
        for code in AdminCode::ALL {
            let start = format!("| `{}` | {} | ", code.as_str(), code.status().as_u16());
            assert!(page.lines().any(|line| line.starts_with(&start)), "docs/errors.md lacks a row {start}");
        }
    }

    #[test]
    fn every_code_is_on_the_errors_page_with_its_status() {
        let page = include_str!("../../../../docs/errors.md");
        for code in Code::ALL {
            let start = format!("| `{code}` | {} | ", code.status());
            assert!(page.lines().any(|line| line.starts_with(&start)), "docs/errors.md lacks a row {start}");
        }
    }
}
