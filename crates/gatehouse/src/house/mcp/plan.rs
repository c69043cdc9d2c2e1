//! From the configuration to the plan of the MCP gateway: the only file that knows both.

use std::sync::Arc;

use gatehouse_catalog::Config;
use gatehouse_catalog::mcp::{
    self as written, McpAuth, McpGrant, McpServer, McpTransport, OWN_SERVER, OwnServer, Pins,
};
use gatehouse_domain::Secret;
use gatehouse_mcp_gateway::Blueprint;
use gatehouse_mcp_gateway::blueprint::{
    Auth, Caps, Exchange, IdentityProvider, Listens, OAuthClient, Override, PinPolicy, Server, Toolset, Transport,
};

use super::itself;

/// The plan of a configuration.
pub(crate) fn blueprint(config: &Config) -> Blueprint {
    let mcp = &config.mcp;
    Blueprint {
        servers: servers(mcp),
        toolsets: mcp.toolsets.iter().map(|(name, of)| Arc::new(toolset(name, of))).collect(),
        public_url: config.public_url.text.as_str().into(),
        guests: config.guests.clone(),
        listens: Listens { per_caller: mcp.listens.per_caller, total: mcp.listens.total },
    }
}

/// Every server, in the order of their names, and the gateway's own among them.
fn servers(mcp: &written::Mcp) -> Vec<Arc<Server>> {
    let mut servers: Vec<_> = mcp.servers.iter().map(|(name, of)| Arc::new(server(name, of))).collect();
    if mcp.own_server != OwnServer::Off {
        let place = servers.partition_point(|server| *server.name < *OWN_SERVER);
        servers.insert(place, Arc::new(itself::server(mcp.own_server == OwnServer::Apart)));
    }
    servers
}

fn server(name: &Arc<str>, of: &McpServer) -> Server {
    Server {
        name: Arc::clone(name),
        transport: transport(&of.transport),
        auth: auth(&of.auth),
        trusted: of.trusted,
        pins: match of.pins {
            Pins::AllowNew => PinPolicy::AllowNew,
            Pins::HoldChanged => PinPolicy::HoldChanged,
            Pins::HoldNew => PinPolicy::HoldNew,
        },
        park: of.park,
        sampling_model: of.sampling_model.clone(),
        shared: of.shared,
        caps: Caps {
            connect: of.connect,
            idle: of.idle,
            total: of.total,
            message_bytes: of.message_bytes,
            result_bytes: of.result_bytes,
            concurrent: of.concurrent,
        },
        prices: of.prices.clone(),
        tool_timeouts: of.tool_timeouts.clone(),
    }
}

fn transport(of: &McpTransport) -> Transport {
    match of {
        McpTransport::Http { url, headers } => {
            Transport::Http { url: url.text.as_str().into(), headers: self::headers(headers) }
        }
        McpTransport::Stdio { command, env, cwd } => Transport::Stdio {
            command: command.iter().map(|word| word.as_str().into()).collect(),
            env: env.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect(),
            cwd: cwd.as_ref().map(|folder| folder.to_string_lossy().into()),
        },
        McpTransport::OpenApi { document, base_url, headers } => Transport::OpenApi {
            document: Arc::clone(document),
            base_url: base_url.text.as_str().into(),
            headers: self::headers(headers),
        },
        McpTransport::Builtin(_) => Transport::Builtin,
    }
}

fn headers(of: &[(String, Secret)]) -> Vec<(Arc<str>, Secret)> {
    of.iter().map(|(name, value)| (name.as_str().into(), value.clone())).collect()
}

fn auth(of: &McpAuth) -> Auth {
    match of {
        McpAuth::None => Auth::None,
        McpAuth::Bearer(token) => Auth::Bearer(token.clone()),
        McpAuth::ClientCredentials(of) => Auth::ClientCredentials(client(of)),
        McpAuth::PerUser(of) => Auth::PerUser(client(of)),
        McpAuth::Exchange(of) => Auth::Exchange(client(of)),
    }
}

fn client(of: &written::McpClient) -> OAuthClient {
    OAuthClient {
        client_id: of.client_id.as_deref().map(Arc::from),
        client_secret: of.client_secret.clone(),
        issuer: of.issuer.as_deref().map(Arc::from),
        scopes: of.scopes.iter().map(|scope| scope.as_str().into()).collect(),
        private_key: of.private_key.clone(),
        private_key_id: of.private_key_id.as_deref().map(Arc::from),
        allow_private: of.allow_private,
        exchange: match (&of.identity_provider, of.grant) {
            (Some(provider), _) => Exchange::Identity(IdentityProvider {
                token_url: provider.token_url.as_str().into(),
                client_id: provider.client_id.as_str().into(),
                client_secret: provider.client_secret.clone(),
            }),
            (None, McpGrant::TokenExchange) => Exchange::Token,
            (None, McpGrant::JwtBearer) => Exchange::Assertion,
        },
        subject_token: of.subject_token.clone(),
    }
}

fn toolset(name: &Arc<str>, of: &written::Toolset) -> Toolset {
    let shown =
        |shown: &written::ToolOverride| Override { name: shown.name.clone(), description: shown.description.clone() };
    Toolset {
        name: Arc::clone(name),
        tools: of.tools.clone(),
        overrides: of.overrides.iter().map(|(tool, of)| (Arc::clone(tool), shown(of))).collect(),
        search: of.search,
        resources: of.resources,
    }
}
