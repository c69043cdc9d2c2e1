//! MCP servers as they stand: reachable or not, what they offer, what is odd about it, and why somebody does not see a tool.
//! What they may offer is decided in [`pins`].

pub(crate) mod connections;
pub(crate) mod pins;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::acts::{Act, Changed};
use super::error::{ApiError, ErrorBody};
use super::extract::{Name, Parameters};
use super::rows::Rows;
use crate::control::{Control, McpExplanation, McpFinding, McpQuestion, McpServerStanding};

/// Every MCP server: its state, its era, what it offers.
#[utoipa::path(get, path = "/mcp/servers", tag = "mcp", operation_id = "list_mcp_server_standings",
    responses((status = 200, body = Rows<McpServerStanding>), (status = 401, body = ErrorBody)))]
pub(crate) async fn servers(State(control): State<Control>) -> Json<Rows<McpServerStanding>> {
    Json(Rows::all(control.operations.mcp_servers()))
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct McpServerAsked {
    /// The server; its lists come in the background.
    server: String,
}

/// Asks a server for its lists now.
#[utoipa::path(post, path = "/mcp/servers/{name}/refresh", tag = "mcp", operation_id = "refresh_mcp_server",
    params(("name" = String, Path, description = "The server's name in the configuration")),
    responses((status = 200, body = McpServerAsked), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn refresh(
    State(control): State<Control>,
    Name(name): Name,
) -> Result<Changed<McpServerAsked>, ApiError> {
    if !control.operations.refresh_mcp_server(&name) {
        let hint =
            "GET /api/v1/mcp/servers lists them; one that is asked for each user separately cannot be asked here.";
        return Err(ApiError::not_found("MCP server", hint));
    }
    Ok(Changed::by(Act::on("mcp.servers.refresh", "mcp_servers", &name), McpServerAsked { server: name }))
}

/// Which findings.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only of this server.
    server: Option<String>,
    /// Only this severity: low, medium or high.
    severity: Option<String>,
}

/// What somebody should know: texts that look like an attack, names that collide, items that are left out and why.
#[utoipa::path(get, path = "/mcp/findings", tag = "mcp", operation_id = "list_mcp_findings", params(Which),
    responses((status = 200, body = Rows<McpFinding>), (status = 401, body = ErrorBody)))]
pub(crate) async fn findings(
    State(control): State<Control>,
    Parameters(which): Parameters<Which>,
) -> Json<Rows<McpFinding>> {
    let mut rows = control.operations.mcp_findings();
    rows.retain(|row| which.server.as_ref().is_none_or(|server| row.server == *server));
    rows.retain(|row| which.severity.as_ref().is_none_or(|severity| row.severity == *severity));
    Json(Rows::all(rows))
}

/// Whose list, and which tool.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes how the question is asked")]
pub(crate) struct QuestionForm {
    /// The id of a key; without one, a caller without credentials.
    key: Option<String>,
    /// The tool: `server.tool`, or the name it has on the endpoint.
    tool: String,
    /// `/mcp`, `/mcp/servers/NAME` or `/mcp/toolsets/NAME`; `/mcp` if not given.
    endpoint: Option<String>,
}

/// Why a caller sees a tool, or does not: the first thing that stands in its way.
#[utoipa::path(get, path = "/mcp/explain", tag = "mcp", operation_id = "explain_mcp_tool", params(QuestionForm),
    responses((status = 200, body = McpExplanation), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn explain(
    State(control): State<Control>,
    Parameters(question): Parameters<McpQuestion>,
) -> Result<Json<McpExplanation>, ApiError> {
    if question.tool.is_empty() {
        return Err(ApiError::invalid("No tool was named.", "Send ?tool=server.tool, and ?key= with the id of a key."));
    }
    Ok(Json(control.operations.explain_mcp(&question)?))
}
