//! Faults as MCP clients expect them: a JSON-RPC error with the id of the request, under the HTTP status that says the same.

use bytes::Bytes;
use gatehouse_domain::{Code, Fault, Reply};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::era::Era;
use crate::wire::{Id, Message, Raw, Response, RpcError, code};

/// Our own numbers are this minus the HTTP status that goes with them: outside what JSON-RPC and MCP reserve, and readable.
const OWN: i64 = -31_000;

/// A refusal: what the client is told in the body, and over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error.
    pub error: RpcError,
    /// The same in the words of the house, for records.
    pub fault: Fault,
}

impl Refusal {
    /// An error of the protocol itself.
    #[must_use]
    pub fn rpc(status: u16, error: RpcError) -> Self {
        let code = match status {
            404 => Code::NotFound,
            405 => Code::MethodNotAllowed,
            _ => Code::InvalidRequest,
        };
        let fault = Fault::new(code, error.message.clone()).with_status(status);
        Self { status, error, fault }
    }

    /// What the era's own looks found.
    #[must_use]
    pub fn of_era(refusal: &crate::era::Refusal, era: Era) -> Self {
        Self::rpc(refusal.status(era), refusal.rpc())
    }

    /// With a whole answer's head and body. The id is that of the request, where it could be read.
    #[must_use]
    pub fn reply(&self, id: Option<&Id>) -> Reply {
        let mut reply = json(self.status, Message::from(Response::error(id.cloned(), self.error.clone())).write());
        if self.status == 405 {
            reply.headers.insert(ALLOW, HeaderValue::from_static("GET, POST, DELETE, OPTIONS"));
        }
        if let Some(seconds) = self.fault.retry_after_secs {
            reply.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let about_params = fault.param.as_deref().is_some_and(|param| param.starts_with("params"));
        let number = match fault.code {
            Code::InvalidJson => code::PARSE,
            Code::InvalidRequest if about_params => code::INVALID_PARAMS,
            Code::InvalidRequest => code::INVALID_REQUEST,
            Code::UnknownModel => code::INVALID_PARAMS,
            Code::Internal => code::INTERNAL,
            _ => OWN - i64::from(fault.status),
        };
        let mut data = vec![("code", Raw::text(fault.code.as_str()))];
        if let Some(seconds) = fault.retry_after_secs {
            data.push(("retryAfterSeconds", Raw::trusted(Bytes::from(seconds.to_string()))));
        }
        if let Some(param) = &fault.param {
            data.push(("param", Raw::text(param)));
        }
        let error = RpcError::new(number, fault.message.clone()).with_data(Raw::object(data));
        // A client of the older revisions takes any status but 200 for a broken connection: only what must be seen over HTTP
        // (credentials, permission, limits, overload) is said there as well.
        let status = match fault.status {
            404 if number == code::INVALID_PARAMS => 200,
            400 if about_params => 200,
            status => status,
        };
        Self { status, error, fault }
    }
}

/// A whole answer of JSON.
#[must_use]
pub fn json(status: u16, body: Bytes) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Reply { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), headers, body }
}

/// Nothing to say: the message was taken.
#[must_use]
pub fn accepted() -> Reply {
    Reply { status: StatusCode::ACCEPTED, headers: HeaderMap::new(), body: Bytes::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fault: Fault) -> (u16, String) {
        let reply = Refusal::from(fault).reply(Some(&Id::Number(7)));
        (reply.status.as_u16(), String::from_utf8_lossy(&reply.body).into_owned())
    }

    #[test]
    fn a_fault_keeps_its_status_its_id_and_its_stable_code() {
        let (status, body) = told(Fault::new(Code::RateLimited, "Too many.").retry_after(3));
        assert_eq!(status, 429);
        assert_eq!(
            body,
            r#"{"jsonrpc":"2.0","id":7,"error":{"code":-31429,"message":"Too many.","data":{"code":"rate_limited","retryAfterSeconds":3}}}"#
        );
    }

    #[test]
    fn our_numbers_are_outside_what_is_reserved() {
        for code in Code::ALL {
            let number = Refusal::from(Fault::new(*code, "")).error.code;
            let standard = [code::PARSE, code::INVALID_REQUEST, code::INVALID_PARAMS, code::INTERNAL];
            assert!(!(-32768..=-32000).contains(&number) || standard.contains(&number), "{code}: {number}");
        }
    }

    #[test]
    fn what_is_wrong_with_parameters_is_said_inside_the_protocol() {
        let (status, body) = told(Fault::new(Code::InvalidRequest, "No.").at("params.name"));
        assert!(status == 200 && body.contains("-32602"), "{body}");
    }

    #[test]
    fn without_an_id_the_error_has_none() {
        let reply = Refusal::from(Fault::new(Code::MissingKey, "No key.")).reply(None);
        assert!(reply.status == 401 && reply.body.starts_with(br#"{"jsonrpc":"2.0","error":{"code":-31401"#));
    }
}
