//! Opening a connection: resolve, connect, TLS, HTTP/1.1 handshake, all under one timer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_cork::Corked;
use gatehouse_domain::Origin;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::connection::Connection;
use crate::egress::{self, Egress};
use crate::stream::Stream;

/// Shared TLS client configuration: session resumption works across all cores.
pub type Tls = Arc<ClientConfig>;

/// TLS with the bundled trust anchors, plus those of `extra_roots` (PEM).
///
/// # Errors
/// When `extra_roots` holds no certificate that can be read.
pub fn tls_config(extra_roots: Option<&[u8]>) -> Result<Tls, io::Error> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_roots {
        use rustls::pki_types::pem::PemObject as _;
        for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A fresh connection, ready to send.
pub(crate) async fn connect(
    origin: &Origin,
    egress: Egress,
    tls: &Tls,
    limit: Duration,
) -> Result<Connection, io::Error> {
    tokio::time::timeout(limit, open(origin, egress, tls))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "connect timed out")))
}

async fn open(origin: &Origin, egress: Egress, tls: &Tls) -> Result<Connection, io::Error> {
    let stream = match egress {
        Egress::Trusted => TcpStream::connect((&*origin.host, origin.port)).await?,
        Egress::Public => TcpStream::connect(&*egress::resolve(origin).await?).await?,
    };
    // Without it a request head and body in two segments can wait 40 ms for a delayed acknowledgement.
    stream.set_nodelay(true)?;
    let stream = Corked::new(stream);
    if !origin.tls {
        return Connection::new(Stream::Plain(stream)).await;
    }
    let name = ServerName::try_from(origin.host.to_string()).map_err(io::Error::other)?;
    let stream = tokio_rustls::TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
    Connection::new(Stream::Tls(Box::new(stream))).await
}
