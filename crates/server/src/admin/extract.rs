//! Axum's extractors with our errors: a wrong body, query or path is told in the API's own shape.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::ApiError;

const HINT: &str = "Send the JSON object that /api/v1/openapi.json describes for this path.";

/// A JSON body: an object.
pub(crate) struct Body<T>(pub(crate) T);

/// The query string.
pub(crate) struct Parameters<T>(pub(crate) T);

/// A name in the path, percent-decoded.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(text) = Json::<Box<RawValue>>::from_request(request, state).await?;
        // Serde also takes a list for the fields of a struct, in an order nobody wrote down.
        if !text.get().trim_start().starts_with('{') {
            return Err(ApiError::invalid("The body is not a JSON object.", HINT));
        }
        let read = serde_json::from_str(text.get());
        read.map(Self)
            .map_err(|error| ApiError::invalid(format!("The body is not what this path takes: {error}."), HINT))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(parameters) = Query::from_request_parts(parts, state).await?;
        Ok(Self(parameters))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::from_request_parts(parts, state).await?;
        Ok(Self(name))
    }
}
