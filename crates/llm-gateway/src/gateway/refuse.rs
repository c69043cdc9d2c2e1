//! Faults in the caller's shape.

use bytes::Bytes;
use gatehouse_domain::{Code, End, Fault, Metered, Relay, Reply};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::dialects::{self, bedrock};
use crate::form::Dropped;
use crate::providers::DialectName;

/// A fault as a client of this dialect expects it.
pub(crate) fn refuse(dialect: DialectName, fault: &Fault) -> Reply {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if dialect == DialectName::Bedrock {
        // The exception's name travels in a header; SDKs read it before the body.
        headers.insert("x-amzn-errortype", HeaderValue::from_static(bedrock::exception_name(fault)));
    }
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply { status, headers, body: (dialects::of(dialect).write_error)(fault).into() }
}

pub(crate) fn not_translatable(dropped: &Dropped, provider: &str) -> Fault {
    let names = dropped.names().join("`, `");
    Fault::new(
        Code::NotTranslatable,
        format!(
            "the target at `{provider}` cannot carry `{names}`; leave it out, or send without `x-gatehouse-strict`"
        ),
    )
}

pub(crate) fn no_model() -> Fault {
    Fault::new(Code::InvalidRequest, "`model` is missing or empty; GET /v1/models lists those this key may use")
        .at("model")
}

pub(crate) fn defect() -> Fault {
    Fault::new(Code::Internal, "the gateway lost track of its own targets; please report this")
}

/// Stands where a relay was asked for before anything was written, which the pipeline never does.
pub(crate) struct Broken;

impl Relay for Broken {
    fn streams(&self) -> bool {
        false
    }
    fn headers(&self, _: &HeaderMap) -> HeaderMap {
        HeaderMap::new()
    }
    fn feed(&mut self, _: Bytes, _: &mut Vec<Bytes>) -> Result<(), Fault> {
        Err(defect())
    }
    fn finish(&mut self, _: End<'_>, _: &mut Vec<Bytes>) -> Metered {
        Metered::default()
    }
}
