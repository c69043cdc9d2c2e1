//! An HTTP API behind an OpenAPI document, as a server of the newest era that has tools and nothing else. What a call means is
//! the document's to say ([`gatehouse_mcp_gateway::openapi`]); what goes out goes through the same endpoint as to any server:
//! headers of the configuration, the principal's token, one address.

use std::sync::Arc;

use gatehouse_domain::Code;
use gatehouse_mcp_gateway::openapi::{Api, ApiFault, Base, HttpRequest, refusal, result};
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Message, Notification, Raw, Request, Response, RpcError};
use gatehouse_upstream::{Pool, Sent};
use serde_json::{Map, Value, json};

use super::endpoint::Endpoint;
use super::{Client, Doing, Exchange, Failure, Hello, Link, Outgoing, State};

/// The revision that is spoken with whoever asks.
const REVISION: &str = "2026-07-28";
/// How long the list may be kept, in milliseconds: it changes with the configuration only.
const TTL_MS: u64 = 300_000;

/// One API, as one principal reaches it.
pub(crate) struct OpenApi {
    endpoint: Endpoint,
    api: Arc<Api>,
    base: Base,
    hello: Arc<Hello>,
}

impl OpenApi {
    /// A link to an API that has been read.
    ///
    /// # Errors
    /// When its document is none.
    pub(crate) fn new(endpoint: Endpoint, api: Result<Arc<Api>, ApiFault>) -> Result<Self, Failure> {
        let api = api.map_err(|why| {
            let name = &endpoint.server().name;
            Failure::new(Code::Internal, format!("the document of the MCP server `{name}` cannot be used: {why}"))
        })?;
        for skipped in &api.skipped {
            tracing::debug!(server = %endpoint.server().name, %skipped, "an operation is no tool");
        }
        let hello = Arc::new(Hello {
            revision: REVISION.into(),
            modern: true,
            capabilities: Raw::of(&json!({"tools": {}})),
            server_info: Some(Raw::of(&json!({
                "name": &*endpoint.server().name, "title": api.title, "version": api.version
            }))),
            instructions: api.description.as_deref().map(Arc::from),
            incarnation: 1,
        });
        let base = Base::new(&endpoint.path());
        Ok(Self { endpoint, api, base, hello })
    }

    async fn outcome(&self, pool: &Pool, request: &Request) -> Result<Result<Value, RpcError>, Failure> {
        Ok(match &*request.method {
            "tools/list" => {
                let tools: Vec<&Value> = self.api.operations.iter().map(|operation| &operation.tool).collect();
                Ok(json!({
                    "resultType": "complete", "tools": tools, "ttlMs": TTL_MS, "cacheScope": "public"
                }))
            }
            "server/discover" => Ok(json!({
                "resultType": "complete", "supportedVersions": [REVISION], "capabilities": {"tools": {}},
                "instructions": self.api.description, "ttlMs": TTL_MS, "cacheScope": "public",
            })),
            "tools/call" => {
                let params = request.params.as_ref().map(Raw::value).unwrap_or_default();
                self.call(pool, &params).await?.map(|mut result| {
                    result["resultType"] = "complete".into();
                    result
                })
            }
            method => Err(RpcError::new(code::METHOD_NOT_FOUND, format!("An HTTP API has no `{method}`."))),
        })
    }

    async fn call(&self, pool: &Pool, params: &Value) -> Result<Result<Value, RpcError>, Failure> {
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(operation) = self.api.find(name) else {
            let name: String = name.chars().take(128).collect();
            return Ok(Err(RpcError::new(code::INVALID_PARAMS, format!("Unknown tool: {name}"))));
        };
        let none = Map::new();
        let arguments = match params.get("arguments") {
            None | Some(Value::Null) => &none,
            Some(Value::Object(arguments)) => arguments,
            Some(_) => return Ok(Err(RpcError::new(code::INVALID_PARAMS, "`arguments` is no object."))),
        };
        let request = match operation.request(&self.base, arguments) {
            Ok(request) => request,
            Err(why) => return Ok(Ok(refusal(&why.to_string()))),
        };
        let Sent { head, body } = self.send(pool, request).await?;
        let told = match self.endpoint.whole(body).await {
            Ok(body) => result(name, head.status, &head.headers, &body, true),
            Err(_) if head.status.is_success() => result(name, head.status, &head.headers, b"", false),
            Err(failure) => return Err(failure),
        };
        Ok(Ok(told))
    }

    async fn send(&self, pool: &Pool, request: HttpRequest) -> Result<Sent, Failure> {
        let place =
            self.endpoint.beside(request.path.as_str()).ok_or_else(|| self.endpoint.broken("has no such path"))?;
        place.send(pool, request.method, &|| request.headers.clone(), request.body.unwrap_or_default()).await
    }
}

/// The one message an answer is.
struct Single(Option<Response>);

impl Exchange for Single {
    fn next(&mut self) -> Doing<'_, Option<Result<Message, Failure>>> {
        let message = self.0.take().map(|response| Ok(Message::Response(response)));
        Box::pin(async move { message })
    }
}

impl Link for OpenApi {
    fn hello<'a>(&'a self, _: &'a Pool, _: &'a Client) -> Doing<'a, Result<Arc<Hello>, Failure>> {
        Box::pin(async move { Ok(Arc::clone(&self.hello)) })
    }

    fn ask<'a>(&'a self, pool: &'a Pool, outgoing: Outgoing) -> Doing<'a, Result<Box<dyn Exchange>, Failure>> {
        Box::pin(async move {
            let response = match self.outcome(pool, &outgoing.request).await? {
                Ok(result) => Response::result(outgoing.request.id, Raw::of(&result)),
                Err(error) => Response::error(Some(outgoing.request.id), error),
            };
            Ok(Box::new(Single(Some(response))) as Box<dyn Exchange>)
        })
    }

    fn notify<'a>(&'a self, _: &'a Pool, _: &'a Client, _: Notification) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn answer<'a>(&'a self, _: &'a Pool, _: &'a Client, _: Response) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn overhear<'a>(&'a self, _: &'a Pool, _: &'a Client) -> Doing<'a, Result<Option<Box<dyn Exchange>>, Failure>> {
        Box::pin(async { Ok(None) })
    }

    fn state(&self) -> State {
        State { revision: Some(Arc::clone(&self.hello.revision)), ..State::default() }
    }

    fn close(&self) -> Doing<'_, ()> {
        Box::pin(async {})
    }
}
