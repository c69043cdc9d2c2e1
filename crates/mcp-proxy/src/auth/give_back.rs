//! Tokens of a connection that is removed go back to who issued them (RFC 7009), so that they open nothing any more, wherever a
//! copy of them may be. Best effort: here they are forgotten already, and an issuer that is away or takes none keeps nobody
//! waiting.

use bytes::Bytes;
use gatehouse_domain::{Code, Now};
use gatehouse_mcp_gateway::blueprint::Auth;
use gatehouse_oauth::client::revocation_request;
use gatehouse_store::McpConnection;

use super::discover::{trouble, unfetched};
use super::keep::Pair;
use super::{Shared, random_text, unstored};
use crate::link::Failure;

impl Shared {
    /// Gives the tokens of a connection back, if their issuer takes them.
    pub(super) async fn give_back(&self, row: &McpConnection, pair: &Pair) {
        if let Err(failure) = self.try_to_give_back(row, pair).await {
            tracing::warn!(
                server = %row.server, issuer = %row.issuer, fault = %failure.fault,
                "the tokens of a removed connection were not taken back by their issuer; they end by themselves"
            );
        }
    }

    async fn try_to_give_back(&self, row: &McpConnection, pair: &Pair) -> Result<(), Failure> {
        let world = self.world();
        let Some(server) = world.servers.iter().find(|server| *server.name == *row.server) else { return Ok(()) };
        let Auth::PerUser(config) = &server.auth else { return Ok(()) };
        let issuer = self.finder.issuer(server, config, &row.issuer).await?;
        let Some(place) = &issuer.revocation_endpoint else { return Ok(()) };
        let client = self.clients.at(server, config, &issuer, &world.face, false).await?;
        let nonce = random_text().map_err(|error| unstored(server, &error))?;
        let now = Now(std::time::SystemTime::now());
        let request = revocation_request(&pair.access, pair.refresh.as_ref(), &client, &nonce, now)
            .map_err(|why| trouble(server, Code::UpstreamCredentials, &why.to_string()))?;
        let body = Bytes::from(request.body.reveal().to_owned());
        let egress = self.fetcher.egress(server, config, place);
        let answer = self.fetcher.post_form(egress, place, request.authorization, body).await;
        let answer = answer.map_err(|why| unfetched(server, place, why))?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(trouble(server, Code::UpstreamRejected, &format!("its issuer answered with status {}", answer.status)))
    }
}
